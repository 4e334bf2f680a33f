-- Each tag of a set at a minute: the limits valid then, what was decided, and when the row used had arrived.
-- A tag without a row used has its newest accepted one up to the minute, however old, with score NULL.
select t.tag, t.unit, p.name, l.version, nullif(l.valid_from, '-infinity'), l.maximum_safe_value, l.warning_threshold,
       l.upper_safety_limit, l.max_age_s,
       d.score, d.missing, coalesce(d.value, n.value), coalesce(d.result_ts, n.ts),
       coalesce(u.received_at, n.received_at), d.minute is not null, coalesce(u.marks, '{}'), u.reason
from sos_ops.tag_set as s
join sos_ops.tag as t on t.tag_id = any (s.tag_ids)
join sos_ops.partner as p using (partner_id)
cross join lateral (
    select v.* from sos_ops.tag_limits as v
    where v.tag_id = t.tag_id and v.valid_from <= %(minute)s order by v.valid_from desc limit 1
) as l
left join sos_ops.tag_score as d on d.tag_id = t.tag_id and d.minute = %(minute)s
left join sos_ops.result as u on u.tag_id = t.tag_id and u.partner_id = t.partner_id and u.ts = d.result_ts
  and u.value = d.value and u.state = 'A'
left join lateral (
    select x.value, x.ts, x.received_at from sos_ops.result as x
    where x.tag_id = t.tag_id and x.partner_id = t.partner_id and x.state = 'A' and x.ts <= %(minute)s
    order by x.ts desc limit 1
) as n on true
where s.set_id = %(set_id)s
order by t.tag;
