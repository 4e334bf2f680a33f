-- The open request of a tag: the same wish is counted, another one takes its place under a new number. So does the same
-- one under other limits: what it would change is another thing then.
with old as (
    select warning_request_id, (requested_threshold, limits_version) = (%(requested)s, %(limits_version)s) as same
    from sos_ops.warning_request where tag_id = %(tag_id)s and state = 'proposed'
), counted as (
    update sos_ops.warning_request as w
    set ts = %(ts)s, last_asked_at = %(last_asked_at)s, asked = asked + %(asked)s
    from old where w.warning_request_id = old.warning_request_id and old.same
    returning w.warning_request_id
), replaced as (
    update sos_ops.warning_request as w
    set warning_request_id = default, requested_threshold = %(requested)s, ts = %(ts)s,
        last_asked_at = %(last_asked_at)s, asked = asked + %(asked)s, limits_version = %(limits_version)s,
        reason = %(reason)s
    from old where w.warning_request_id = old.warning_request_id and not old.same
    returning w.warning_request_id
)
select warning_request_id from counted union all select warning_request_id from replaced;
