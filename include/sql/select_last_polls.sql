-- Of the last ten minutes up to %(minute)s: when each device in use was last read, at least in part, and last tried.
-- A poll without a map asked the device nothing (a run that began too late, a map that cannot be used).
select d.device_id, max(p.last_minute) filter (where p.outcome <> 'failed'), max(p.last_minute)
from sos_ops.device as d
join sos_ops.poll as p using (device_id)
where d.retired_at is null and p.map_id is not null and p.minute <= %(minute)s
  and p.minute > %(minute)s::timestamptz - interval '10 minutes'
group by d.device_id;
