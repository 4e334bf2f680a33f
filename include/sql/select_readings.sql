-- Readings of the minutes by device. A device that was to be read and was not read completely has one more row, of NULLs:
-- what it does not say may be lost, while a device read completely has said all it measures.
select m.minute, d.name as device, d.site, p.name as point, r.value, r.quality, r.read_at
from unnest(%(minutes)s::timestamptz[]) as m (minute)
join sos_ops.device as d on d.created_at <= m.minute + interval '1 minute'
                         and (d.retired_at is null or d.retired_at > m.minute)
left join sos_ops.poll as q on q.device_id = d.device_id and q.minute <= m.minute and q.last_minute >= m.minute
cross join lateral (
    select x.point_id, x.value, x.quality, x.read_at
    from sos_ops.reading as x where x.minute = m.minute and x.device_id = d.device_id
    union all
    select null, null, null, null where q.outcome is distinct from 'complete'
) as r
left join sos_ops.point as p using (point_id)
order by m.minute, d.name, p.name;
