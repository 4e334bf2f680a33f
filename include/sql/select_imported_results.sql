-- Imported history that is not validated yet, TIMESTAMP in (%(since)s, %(until)s], of each partner the newest %(most)s, of
-- those not in %(without)s. Only partners with an import of that time are looked at, by their tags' keys.
select array_agg(r.tag_id), array_agg(r.partner_id), array_agg(r.ts), array_agg(r.received_at), array_agg(r.value)
from sos_ops.partner as p
cross join lateral (
    select x.tag_id, x.partner_id, x.ts, x.received_at, x.value
    from sos_ops.tag as t
    join sos_ops.result as x on x.tag_id = t.tag_id and x.partner_id = p.partner_id
    where t.partner_id = p.partner_id and x.state = 'I' and x.ts > %(since)s and x.ts <= %(until)s
    order by x.ts desc
    limit %(most)s
    offset 0
) as r
where p.partner_id <> all (%(without)s::smallint[])
  and exists (select from sos_ops.import_chunk as c join sos_ops.import as i using (import_id)
              where i.partner_id = p.partner_id and c.last_at > %(since)s and c.first_at <= %(until)s);
