-- Readings of the minutes, with every device that was to be read: one without readings has a row of NULLs.
select m.minute, d.name as device, d.site, p.name as point, r.value, r.quality, r.read_at
from unnest(%(minutes)s::timestamptz[]) as m (minute)
join sos_ops.device as d on d.created_at <= m.minute + interval '1 minute'
                         and (d.retired_at is null or d.retired_at > m.minute)
left join sos_ops.reading as r on r.minute = m.minute and r.device_id = d.device_id
left join sos_ops.point as p using (point_id)
order by m.minute, d.name, p.name;
