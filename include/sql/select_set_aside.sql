-- Results of the set's tags that were set aside and would have counted at %(minute)s.
select t.tag, a.value, a.ts, a.received_at, a.reason
from sos_ops.tag_set as s
join sos_ops.tag as t on t.tag_id = any (s.tag_ids)
cross join lateral (
    select v.max_age_s from sos_ops.tag_limits as v
    where v.tag_id = t.tag_id and v.valid_from <= %(minute)s order by v.valid_from desc limit 1
) as l
join sos_ops.result_set_aside as a on a.tag_id = t.tag_id and a.partner_id = t.partner_id
where s.set_id = %(set_id)s and a.ts <= %(minute)s and a.ts > %(minute)s - make_interval(secs => l.max_age_s)
order by t.tag, a.ts, a.received_at;
