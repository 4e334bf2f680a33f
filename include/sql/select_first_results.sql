-- When each of %(tag_ids)s had its first accepted result ever, of those arrived by %(known_by)s; no row if never.
select t.tag_id, r.ts
from unnest(%(tag_ids)s::int4[], %(partner_ids)s::int2[]) as t (tag_id, partner_id)
cross join lateral (
    select x.ts
    from sos_ops.result as x
    where x.tag_id = t.tag_id and x.partner_id = t.partner_id
      and (%(known_by)s::timestamptz is null or x.received_at <= %(known_by)s)
    order by x.ts
    limit 1
) as r;
