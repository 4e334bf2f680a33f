-- The device is not polled any more. Its history stays.
update sos_ops.device set retired_at = greatest(sos_ops.now(), created_at) where device_id = %(device_id)s;
