-- The first reading of a point and minute stays. Only minutes that an import made take any.
with written as (
    insert into sos_ops.reading (minute, device_id, point_id, read_at, value, suspect_value, quality)
    select distinct on (s.minute, s.point_id) s.minute, %(device_id)s, s.point_id, s.read_at, s.value,
           s.suspect_value, (%(qualities)s::text[])[s.quality + 1]
    from pg_temp.imported_reading as s
    join sos_ops.poll as p on p.minute = s.minute and p.device_id = %(device_id)s
    where p.reason like 'imported: %%'
    order by s.minute, s.point_id, s.line
    on conflict do nothing
    returning minute
), changed as (
    -- What engines made of the minute before, they made without these.
    insert into sos_ops.read_minute as m (minute, changes, changed_at)
    select minute, 1, sos_ops.now() from written group by minute order by minute
    on conflict (minute) do update set changes = m.changes + 1, changed_at = excluded.changed_at
)
select count(*) from written;
