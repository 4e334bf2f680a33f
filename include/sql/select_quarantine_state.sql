-- The newest quarantine of registers from here on, if any.
select quarantine_id, checks, checked_at, restored_at from sos_ops.quarantined_register
where device_id = %(device_id)s and function = %(function)s and start = %(start)s
order by since desc limit 1;
