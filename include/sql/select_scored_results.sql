-- Accepted results that can count at a minute of %(first)s .. %(last)s, of those that counted by %(known_by)s.
-- `offset 0` keeps the lateral part whole: one index scan per partner, however large its table and stale its statistics.
select array_agg(r.tag_id), array_agg(r.ts), array_agg(r.value)
from (
    select t.partner_id, l.max_age_s, array_agg(t.tag_id) as tag_ids
    from sos_ops.tag as t
    join (select tag_id, max(max_age_s) as max_age_s from sos_ops.tag_limits group by tag_id) as l using (tag_id)
    where t.retired_at is null or (t.retired_at > %(first)s and t.created_at <= %(last)s)
    group by t.partner_id, l.max_age_s
) as p
cross join lateral (
    select x.tag_id, x.ts, x.value
    from sos_ops.result as x
    where x.partner_id = p.partner_id and x.tag_id = any (p.tag_ids) and x.state = 'A'
      and x.ts > %(first)s - p.max_age_s * interval '1 second' and x.ts <= %(last)s
      and (%(known_by)s::timestamptz is null or coalesce(x.decided_at, x.received_at) <= %(known_by)s)
    offset 0
) as r;
