-- What became of readings that are not stored as they are: 'M' another reading of the minute was first, 'O' another
-- value of the same time stands, 'P' the minute has an outcome of its own.
select j.verdict, j.line, j.said
from (
    select s.line, coalesce(s.value, s.suspect_value)::text as said,
           case when r.minute is null then 'P'
                when (r.read_at, r.value, r.suspect_value) is not distinct from (s.read_at, s.value, s.suspect_value)
                then null
                when r.read_at = s.read_at then 'O'
                when p.reason like 'imported: %%' then 'M'
                else 'P' end as verdict
    from pg_temp.imported_reading as s
    left join sos_ops.reading as r
      on r.minute = s.minute and r.device_id = %(device_id)s and r.point_id = s.point_id
    left join sos_ops.poll as p on p.minute = s.minute and p.device_id = %(device_id)s
) as j
where j.verdict is not null;
