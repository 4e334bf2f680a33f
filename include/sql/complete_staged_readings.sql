-- Staged device minutes become all that is known of them: what stands of points that their map has no more is to go, and
-- what was to take the place of a reading that does not stand is forgotten.
with forgotten as (
    delete from pg_temp.staged_reading as s
    where s.only_over_standing
      and not exists (select from sos_ops.reading as r
                      where r.minute = s.minute and r.device_id = s.device_id and r.point_id = s.point_id
                        and r.minute between %(first)s and %(until)s)
)
insert into pg_temp.staged_reading (minute, device_id, point_id, read_at, map_id)
select r.minute, r.device_id, r.point_id, r.read_at, d.map_id
from (select distinct minute, device_id, map_id from pg_temp.staged_reading) as d
join sos_ops.reading as r on r.minute = d.minute and r.device_id = d.device_id
                          and r.minute between %(first)s and %(until)s
where not exists (select from pg_temp.staged_reading as s
                  where s.minute = r.minute and s.device_id = r.device_id and s.point_id = r.point_id);
