-- Runs of validation before %(before)s, with their findings.
delete from sos_ops.validation_run where ran_at < %(before)s;
