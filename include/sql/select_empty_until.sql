-- Until which minute empty minutes were looked for.
select empty_until from sos_ops.validation_progress;
