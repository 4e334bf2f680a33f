-- The set-aside results of these numbers, held until this transaction ends, in either place.
select r.set_aside_id, true as in_place, t.tag, r.tag_id, r.partner_id, r.ts, r.value, r.warning_request, r.received_at, r.reason,
       (select d.decision from sos_ops.set_aside_decision as d where d.set_aside_id = r.set_aside_id
        order by d.decision_id desc limit 1),
       l.maximum_safe_value, l.warning_threshold
from sos_ops.result as r join sos_ops.tag as t using (tag_id)
cross join lateral (
    select v.maximum_safe_value, v.warning_threshold from sos_ops.tag_limits as v
    where v.tag_id = r.tag_id and v.valid_from <= r.ts order by v.valid_from desc limit 1
) as l
where r.set_aside_id = %(set_aside_id)s and r.state = 'S'
for update of r;
