-- Results of the set's tags that people decided about and that could count at %(minute)s, oldest decision first.
select t.tag, d.value, d.ts, d.decision, d.decided_by, d.decided_at, d.why, d.reason
from sos_ops.tag_set as s
join sos_ops.tag as t on t.tag_id = any (s.tag_ids)
cross join lateral (
    select v.max_age_s from sos_ops.tag_limits as v
    where v.tag_id = t.tag_id and v.valid_from <= %(minute)s order by v.valid_from desc limit 1
) as l
join sos_ops.set_aside_decision as d on d.tag_id = t.tag_id and d.partner_id = t.partner_id
where s.set_id = %(set_id)s and d.decision <> 'rejected'
  and d.ts <= %(minute)s and d.ts > %(minute)s - make_interval(secs => l.max_age_s)
order by d.decision_id;
