-- Of each minute mark from %(first)s to %(last)s, in order: whether it has SoS rows, and how many of the sets that are
-- active at it; of the sets %(set_ids)s only, unless that is NULL. %(backfill)s: sets that are not retired always are.
select array_agg(exists (select from sos_ops.sos as s where s.minute = m) order by m),
       array_agg(coalesce(c.sets, 0) order by m)
from generate_series(%(first)s::timestamptz, %(last)s::timestamptz, interval '1 minute') as m
left join (
    select s.minute, count(*) as sets
    from sos_ops.sos as s
    join sos_ops.tag_set as g using (set_id)
    where s.minute between %(first)s and %(last)s
      and (%(set_ids)s::int4[] is null or s.set_id = any (%(set_ids)s))
      and (s.minute >= g.created_at or (%(backfill)s and g.retired_at is null))
      and (g.retired_at is null or s.minute < g.retired_at)
    group by s.minute
) as c on c.minute = m;
