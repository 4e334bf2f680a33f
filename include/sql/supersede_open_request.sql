-- The open request of a tag is overtaken: a newer wish was applied by rule.
update sos_ops.warning_request
set state = 'refused', rule = %(rule)s, reason = 'a newer wish was applied by rule', decided_by = %(by)s,
    decided_at = %(at)s
where tag_id = %(tag_id)s and state = 'proposed';
