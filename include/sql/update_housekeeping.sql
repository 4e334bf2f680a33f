-- Late results were looked for until %(until)s.
update sos_ops.housekeeping set late_results_until = %(until)s;
