-- Raw registers of minutes in [%(first)s, %(until)s], of the devices %(device_ids)s only unless that is NULL, after
-- (%(after_minute)s, %(after_device)s): the next %(most)s blocks, by minute and device.
select b.minute, b.device_id, b.map_id, b.function, b.start, b.registers, b.read_at
from sos_ops.raw_block as b
where b.minute between %(first)s and %(until)s
  and (%(device_ids)s::int[] is null or b.device_id = any (%(device_ids)s))
  and (b.minute, b.device_id) > (%(after_minute)s::timestamptz, %(after_device)s::int)
order by b.minute, b.device_id, b.function, b.start
limit %(most)s;
