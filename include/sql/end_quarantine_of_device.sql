-- What was learnt of the device holds no more: its address or its map changed.
update sos_ops.quarantined_register set restored_at = greatest(sos_ops.now(), since)
where device_id = %(device_id)s and restored_at is null;
