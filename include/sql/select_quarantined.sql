-- Registers that devices in use do not answer for now.
select q.device_id, q.function, q.start, q.count, q.points, q.reason, q.since, q.next_check
from sos_ops.quarantined_register as q
join sos_ops.device as d using (device_id)
where q.restored_at is null and d.retired_at is null
order by q.device_id, q.function, q.start;
