-- Second values for a tag and TIMESTAMP that came since the last run, per tag; from now on they are counted.
with counted as (
    update sos_ops.result_set_aside set counted_at = %(decided_at)s
    where counted_at is null
    returning tag_id, partner_id, ts, value, reason
)
select c.partner_id, c.tag_id, count(*), max(c.ts), max(t.tag)
from counted as c join sos_ops.tag as t using (tag_id)
group by c.partner_id, c.tag_id order by c.partner_id, c.tag_id;
