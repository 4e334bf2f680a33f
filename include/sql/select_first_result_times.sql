-- When each of %(tag_ids)s had its first accepted result ever, of those that counted by %(known_by)s; absent if never.
select array_agg(r.tag_id), array_agg(r.ts)
from sos_ops.tag as t
cross join lateral (
    select x.tag_id, x.ts
    from sos_ops.result as x
    where x.tag_id = t.tag_id and x.partner_id = t.partner_id and x.state = 'A'
      and (%(known_by)s::timestamptz is null or coalesce(x.decided_at, x.received_at) <= %(known_by)s)
    order by x.ts
    limit 1
) as r
where t.tag_id = any (%(tag_ids)s);
