-- How many device minutes of a span have raw registers.
select count(distinct (b.minute, b.device_id))
from sos_ops.raw_block as b
where b.minute between %(first)s and %(until)s
  and (%(device_ids)s::int[] is null or b.device_id = any (%(device_ids)s));
