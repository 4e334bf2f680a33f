-- Gaps that cover %(minute)s of these devices end before it and go on after it: the minute was polled after all.
with gap as (
    delete from sos_ops.poll
    where device_id = any (%(device_ids)s::int[]) and began_at is null and %(minute)s between minute and last_minute
    returning minute, device_id, last_minute, outcome, reason
)
insert into sos_ops.poll (minute, device_id, last_minute, outcome, reason)
select part.first_minute, g.device_id, part.last_minute, g.outcome, g.reason
from gap as g
cross join lateral (values (g.minute, %(minute)s::timestamptz - interval '1 minute'),
                           (%(minute)s::timestamptz + interval '1 minute', g.last_minute))
    as part (first_minute, last_minute)
where part.first_minute <= part.last_minute;
