-- What devices are called, retired ones too.
select device_id, name from sos_ops.device where device_id = any (%(device_ids)s::int[]);
