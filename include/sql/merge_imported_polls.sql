-- Minutes without an outcome get one, complete; a minute that an import made before reaches as far as its readings.
-- Outcomes of real polls, and of minutes known not to have been polled, stay as they are.
insert into sos_ops.poll as p (minute, device_id, last_minute, began_at, ended_at, outcome, reason)
select s.minute, %(device_id)s, s.minute, min(s.read_at), max(s.read_at), 'complete', %(reason)s
from pg_temp.imported_reading as s
where not exists (select from sos_ops.poll as o
                  where o.device_id = %(device_id)s and o.minute <= s.minute and o.last_minute >= s.minute
                    and not (o.minute = s.minute and o.reason is not distinct from %(reason)s))
group by s.minute
on conflict (minute, device_id) do update
set began_at = least(p.began_at, excluded.began_at), ended_at = greatest(p.ended_at, excluded.ended_at)
where p.began_at > excluded.began_at or p.ended_at < excluded.ended_at;
