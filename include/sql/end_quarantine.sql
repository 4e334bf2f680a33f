-- The device answers for them again.
update sos_ops.quarantined_register set restored_at = greatest(%(at)s, since) where quarantine_id = %(quarantine_id)s;
