-- New results of %(partner_id)s begin to count, at %(decided_at)s.
update sos_ops.result as r
set state = 'A', decided_at = %(decided_at)s
from unnest(%(tag_ids)s::int[], %(micros)s::bigint[]) as d (tag_id, micros)
where r.partner_id = %(partner_id)s and r.tag_id = d.tag_id and r.state in ('N', 'I')
  and r.ts = timestamptz '2000-01-01 00:00+00' + d.micros * interval '1 microsecond';
