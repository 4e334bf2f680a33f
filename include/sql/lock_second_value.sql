-- The second value of this number, held until this transaction ends.
select s.result_set_aside_id, false as in_place, t.tag, s.tag_id, s.partner_id, s.ts, s.value, s.warning_request, s.received_at,
       s.reason,
       (select d.decision from sos_ops.set_aside_decision as d where d.set_aside_id = s.result_set_aside_id
        order by d.decision_id desc limit 1),
       l.maximum_safe_value, l.warning_threshold
from sos_ops.result_set_aside as s join sos_ops.tag as t using (tag_id)
cross join lateral (
    select v.maximum_safe_value, v.warning_threshold from sos_ops.tag_limits as v
    where v.tag_id = s.tag_id and v.valid_from <= s.ts order by v.valid_from desc limit 1
) as l
where s.result_set_aside_id = %(set_aside_id)s
for update of s;
