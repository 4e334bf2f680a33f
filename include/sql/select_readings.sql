-- Readings of the minutes by device. A device that was to be read and was not read completely has further rows without
-- value: one for each point of its map that was not read, of quality `not_read`, or `pending` while its poll has no
-- outcome yet (in the minute it was made in, it may never have one). Where its map is not known, one such row without
-- point: it may measure anything. A device that was read completely has said all it measures.
select m.minute, d.name as device, d.site, r.point, r.value, r.quality, r.read_at
from unnest(%(minutes)s::timestamptz[]) as m (minute)
join sos_ops.device as d on d.retired_at is null or d.retired_at > m.minute
left join sos_ops.poll as q on q.device_id = d.device_id and q.minute <= m.minute and q.last_minute >= m.minute
left join lateral (
    -- The map it was read with; that of a poll still to come is the newest of the device's.
    select k.points from sos_ops.protocol_map as k
    where case when q.minute is null then k.name = d.protocol_map else k.map_id = q.map_id end
    order by k.version desc limit 1
) as k on q.outcome is distinct from 'complete'
cross join lateral (
    select p.name as point, x.value, x.quality, x.read_at
    from sos_ops.reading as x join sos_ops.point as p using (point_id)
    where x.minute = m.minute and x.device_id = d.device_id
    union all
    select n.name, null, case when q.minute is null and d.created_at <= m.minute then 'pending' else 'not_read' end, null
    from unnest(coalesce(k.points, array[null])) as n (name)
    where q.outcome is distinct from 'complete'
      and (n.name is null
           or not exists (select from sos_ops.reading as x join sos_ops.point as p using (point_id)
                          where x.minute = m.minute and x.device_id = d.device_id and p.name = n.name))
) as r
-- Of the time before a device was added, only what was imported is known.
where q.minute is not null or (d.retired_at is null and d.created_at <= m.minute + interval '1 minute')
order by m.minute, d.name, r.point;
