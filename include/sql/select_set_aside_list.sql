-- Results that were set aside and that nobody has decided about, oldest first: by validation (the row has its place in
-- result), and second values for a TIMESTAMP (then `stands` is the value that has the place).
select a.set_aside_id, p.name, t.tag, a.ts, a.value, a.received_at, a.reason, a.stands,
       l.maximum_safe_value, l.warning_threshold
from (
    select r.set_aside_id, r.tag_id, r.partner_id, r.ts, r.value, r.received_at, r.reason, null::double precision as stands
    from sos_ops.result as r
    where r.state = 'S' and r.ts >= %(since)s
    union all
    select s.result_set_aside_id, s.tag_id, s.partner_id, s.ts, s.value, s.received_at, s.reason, r.value
    from sos_ops.result_set_aside as s
    left join sos_ops.result as r on r.tag_id = s.tag_id and r.ts = s.ts and r.partner_id = s.partner_id
    where s.ts >= %(since)s
) as a
join sos_ops.partner as p using (partner_id)
join sos_ops.tag as t using (tag_id)
cross join lateral (
    select v.maximum_safe_value, v.warning_threshold from sos_ops.tag_limits as v
    where v.tag_id = a.tag_id and v.valid_from <= a.ts order by v.valid_from desc limit 1
) as l
where (%(partner)s::text is null or p.name = %(partner)s) and (%(tag)s::text is null or t.tag = %(tag)s)
  and not exists (select from sos_ops.set_aside_decision as d where d.set_aside_id = a.set_aside_id)
order by a.ts, t.tag, a.set_aside_id
limit %(most)s;
