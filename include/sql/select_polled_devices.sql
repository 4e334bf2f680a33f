-- Devices that already have an outcome at %(minute)s.
select device_id from sos_ops.poll where %(minute)s between minute and last_minute;
