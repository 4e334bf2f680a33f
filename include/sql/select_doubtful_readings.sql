-- Readings of each of these devices at its minute that are not good, those without value first; points that a device
-- does not implement are only counted, in a row without point.
select m.device_id, p.name, r.value, r.suspect_value, r.quality, q.map_id, r.readings
from unnest(%(device_ids)s::int[], %(minutes)s::timestamptz[]) as m (device_id, minute)
join sos_ops.poll as q on q.minute = m.minute and q.device_id = m.device_id
cross join lateral (
    select case when x.quality <> 'not_implemented' then x.point_id end as point_id, x.quality,
           min(x.value) as value, min(x.suspect_value) as suspect_value, count(*) as readings
    from sos_ops.reading as x
    where x.minute = m.minute and x.device_id = m.device_id and x.quality <> 'good'
    group by 1, 2
) as r
left join sos_ops.point as p on p.point_id = r.point_id
order by m.device_id, r.value is not null, p.name;
