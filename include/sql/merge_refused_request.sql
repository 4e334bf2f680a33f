-- A refusal like the standing one of its rule (the same wish, or within the hour) is counted there.
update sos_ops.warning_request
set requested_threshold = %(requested)s, ts = %(ts)s, last_asked_at = %(last_asked_at)s, asked = asked + %(asked)s,
    limits_version = %(limits_version)s, reason = %(reason)s, decided_by = %(by)s, decided_at = sos_ops.now()
where warning_request_id = (
    select w.warning_request_id from sos_ops.warning_request as w
    where w.tag_id = %(tag_id)s and w.state = 'refused' and w.rule = %(rule)s
    order by w.warning_request_id desc limit 1)
  and (requested_threshold = %(requested)s or first_asked_at > %(last_asked_at)s::timestamptz - interval '1 hour')
returning warning_request_id;
