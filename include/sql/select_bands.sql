-- Every version of the band limits, oldest first.
select nullif(valid_from, '-infinity'), warning_below, critical_below from sos_ops.bands order by valid_from;
