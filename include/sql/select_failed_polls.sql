-- The newest outcome at or before the minute of each device of a site, where it failed, and since when it fails.
select d.name, p.reason,
       (select min(q.minute) from sos_ops.poll as q
        where q.device_id = d.device_id and q.outcome = 'failed' and q.minute <= %(minute)s
          and q.minute > coalesce((select max(g.last_minute) from sos_ops.poll as g
                                   where g.device_id = d.device_id and g.outcome <> 'failed'
                                     and g.minute <= %(minute)s), '-infinity'))
from sos_ops.device as d
cross join lateral (
    select x.* from sos_ops.poll as x where x.device_id = d.device_id and x.minute <= %(minute)s
    order by x.last_minute desc limit 1
) as p
where d.site = %(site)s and p.outcome = 'failed' and d.retired_at is null
order by d.name;
