-- The outcomes of devices' minute; where there is one, it stays. Returns the devices whose outcome is new.
insert into sos_ops.poll (minute, device_id, last_minute, began_at, ended_at, outcome, reason, map_id)
select %(minute)s, p.device_id, %(minute)s, p.began_at, p.ended_at, p.outcome, p.reason, p.map_id
from unnest(%(device_ids)s::int[], %(began_at)s::timestamptz[], %(ended_at)s::timestamptz[], %(outcomes)s::text[],
            %(reasons)s::text[], %(map_ids)s::int[]) as p (device_id, began_at, ended_at, outcome, reason, map_id)
on conflict (minute, device_id) do nothing
returning device_id;
