-- Every minute of a device has an outcome: those before %(minute)s that no run polled become failed, one row a gap.
-- A gap begins after the device's last outcome before %(minute)s, but not before its first whole minute: imported
-- history may be older. Of the devices %(device_ids)s, or if that is NULL of all that are not retired.
insert into sos_ops.poll (minute, device_id, last_minute, outcome, reason)
select gap.first_minute, d.device_id, %(minute)s::timestamptz - interval '1 minute', 'failed', %(reason)s
from sos_ops.device as d
cross join lateral (
    select greatest(
        (select p.last_minute + interval '1 minute' from sos_ops.poll as p
         where p.device_id = d.device_id and p.last_minute < %(minute)s order by p.last_minute desc limit 1),
        date_trunc('minute', d.created_at, 'UTC') + interval '1 minute') as first_minute
) as gap
where case when %(device_ids)s::int[] is null then d.retired_at is null else d.device_id = any (%(device_ids)s) end
  and gap.first_minute < %(minute)s
on conflict (minute, device_id) do nothing
returning device_id, minute, last_minute;
