-- Sets in use (or the one asked for, also if retired when %(with_retired)s), with their newest decided minute.
select s.set_id, (select array_agg(t.tag::text order by t.tag) from sos_ops.tag as t where t.tag_id = any (s.tag_ids)),
       s.site, s.created_at,
       d.minute, d.value, d.upper, d.known, d.tags, d.band, l.tag
from sos_ops.tag_set as s
left join lateral (
    -- The two bounds keep the search to the newest days' partitions.
    select x.* from sos_ops.sos as x, sos_ops.scoring_progress as p
    where x.set_id = s.set_id and x.minute <= least(p.newest_decided, sos_ops.now())
      and x.minute > least(p.newest_decided, sos_ops.now()) - interval '2 days'
    order by x.minute desc limit 1
) as d on true
left join sos_ops.tag as l on l.tag_id = d.limiting_tag_id
where (%(set_id)s::int is null or s.set_id = %(set_id)s) and (s.retired_at is null or %(with_retired)s)
order by s.set_id;
