-- Each device with its newest poll, and the newest one that brought readings.
select d.device_id, d.name, d.site, p.last_minute, p.outcome, p.reason,
       (select max(g.last_minute) from sos_ops.poll as g where g.device_id = d.device_id and g.outcome <> 'failed')
from sos_ops.device as d
left join lateral (
    select x.* from sos_ops.poll as x where x.device_id = d.device_id order by x.last_minute desc limit 1
) as p on true
where d.retired_at is null
order by d.name;
