-- A set at a minute: its tags, the bands valid then, and what was decided (NULLs where nothing was).
select s.set_id, s.site, s.created_at, s.retired_at, b.warning_below, b.critical_below,
       d.minute, d.value, d.upper, d.known, cardinality(s.tag_ids), d.band, l.tag, d.decided_at
from sos_ops.tag_set as s
cross join lateral (
    select v.* from sos_ops.bands as v where v.valid_from <= %(minute)s order by v.valid_from desc limit 1
) as b
left join sos_ops.sos as d on d.set_id = s.set_id and d.minute = %(minute)s
left join sos_ops.tag as l on l.tag_id = d.limiting_tag_id
where s.set_id = %(set_id)s;
