-- How many results of each partner with tags in use there are for each minute of (%(after)s, %(until)s], by TIMESTAMP:
-- a result of (t - 1 min, t] is one of minute t.
select p.partner_id, p.name, m.minute,
       (select count(*) from sos_ops.result as r
        where r.partner_id = p.partner_id and r.tag_id = any (p.tag_ids)
          and r.ts > m.minute - interval '1 minute' and r.ts <= m.minute)
from (
    select q.partner_id, q.name, min(t.created_at) as since, array_agg(t.tag_id) as tag_ids
    from sos_ops.partner as q join sos_ops.tag as t using (partner_id)
    where t.retired_at is null
    group by q.partner_id
) as p
cross join generate_series(%(after)s::timestamptz + interval '1 minute', %(until)s, interval '1 minute') as m (minute)
where m.minute - interval '1 minute' >= p.since
order by p.partner_id, m.minute;
