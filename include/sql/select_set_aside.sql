-- Results of the set's tags that would have counted at %(minute)s: set aside by either door, or not validated yet (then
-- without a reason). With what people decided about them.
select t.tag, a.value, a.ts, a.received_at, a.reason, d.decision, d.decided_by, d.decided_at, d.why
from sos_ops.tag_set as s
join sos_ops.tag as t on t.tag_id = any (s.tag_ids)
cross join lateral (
    select v.max_age_s from sos_ops.tag_limits as v
    where v.tag_id = t.tag_id and v.valid_from <= %(minute)s order by v.valid_from desc limit 1
) as l
cross join lateral (
    select x.value, x.ts, x.received_at, x.reason, x.set_aside_id from sos_ops.result as x
    where x.tag_id = t.tag_id and x.partner_id = t.partner_id and x.state in ('N', 'I', 'S')
      and x.ts <= %(minute)s and x.ts > %(minute)s - make_interval(secs => l.max_age_s)
    union all
    select x.value, x.ts, x.received_at, x.reason, x.result_set_aside_id from sos_ops.result_set_aside as x
    where x.tag_id = t.tag_id and x.partner_id = t.partner_id
      and x.ts <= %(minute)s and x.ts > %(minute)s - make_interval(secs => l.max_age_s)
) as a
left join lateral (
    select y.decision, y.decided_by, y.decided_at, y.why from sos_ops.set_aside_decision as y
    where y.set_aside_id = a.set_aside_id order by y.decision_id desc limit 1
) as d on true
where s.set_id = %(set_id)s
order by t.tag, a.ts, a.received_at;
