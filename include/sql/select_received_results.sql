-- Results that arrived in (%(since)s, %(until)s], of each partner the newest %(most)s, and whether each may be the base of
-- later ones, as all are that were not set aside: for the Data Docs.
select array_agg(r.tag_id), array_agg(r.partner_id), array_agg(r.ts), array_agg(r.received_at), array_agg(r.value),
       array_agg(r.state <> 'S')
from sos_ops.partner as p
cross join lateral (
    select x.tag_id, x.partner_id, x.ts, x.received_at, x.value, x.state
    from sos_ops.result as x
    where x.partner_id = p.partner_id and x.received_at > %(since)s and x.received_at <= %(until)s
    order by x.received_at desc
    limit %(most)s
    offset 0
) as r;
