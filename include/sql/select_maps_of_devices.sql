-- The name of the map that each of these devices has now.
select device_id, protocol_map from sos_ops.device where device_id = any (%(device_ids)s);
