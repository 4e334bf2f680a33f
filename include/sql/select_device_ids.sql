-- Devices of this name, retired ones too.
select device_id from sos_ops.device where name = %(name)s order by device_id;
