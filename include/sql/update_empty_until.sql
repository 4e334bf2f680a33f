-- Empty minutes were looked for until %(until)s; never moves back.
update sos_ops.validation_progress set empty_until = greatest(empty_until, %(until)s);
