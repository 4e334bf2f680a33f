-- Checked, and still bad.
update sos_ops.quarantined_register
set checks = %(checks)s, checked_at = %(at)s, next_check = %(next_check)s, reason = %(reason)s, count = %(count)s,
    points = %(points)s
where quarantine_id = %(quarantine_id)s;
