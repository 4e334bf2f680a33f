-- Results that are not validated yet, TIMESTAMP in (%(since)s, %(until)s], of each partner the newest %(most)s, of
-- those not in %(without)s. `offset 0` keeps the lateral part whole: one index scan per partner.
select array_agg(r.tag_id), array_agg(r.partner_id), array_agg(r.ts), array_agg(r.received_at), array_agg(r.value)
from sos_ops.partner as p
cross join lateral (
    select x.tag_id, x.partner_id, x.ts, x.received_at, x.value
    from sos_ops.result as x
    where x.partner_id = p.partner_id and x.state = 'N' and x.ts > %(since)s and x.ts <= %(until)s
    order by x.ts desc
    limit %(most)s
    offset 0
) as r
where p.partner_id <> all (%(without)s::smallint[]);
