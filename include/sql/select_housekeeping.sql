-- Until when late results were looked for.
select late_results_until from sos_ops.housekeeping;
