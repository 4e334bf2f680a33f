-- Results that reached us and do not count, and could at a minute of %(first)s .. %(last)s: those set aside (S) and those not
-- validated yet (N). Two parts, so that each finds its own small index.
with reach as materialized (
    select %(first)s::timestamptz - max(l.max_age_s) * interval '1 second' as since from sos_ops.tag_limits as l
)
select array_agg(w.tag_id), array_agg(w.ts), array_agg(w.state)
from (
    select tag_id, partner_id, ts, state from sos_ops.result
    where state = 'N' and ts > (select since from reach) and ts <= %(last)s
    union all
    select tag_id, partner_id, ts, state from sos_ops.result
    where state = 'S' and ts > (select since from reach) and ts <= %(last)s
) as w
join sos_ops.tag as t on t.tag_id = w.tag_id and t.partner_id = w.partner_id;
