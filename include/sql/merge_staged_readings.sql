-- Readings that differ are kept as revisions and replaced, or removed where the map has no such point any more; new ones
-- are added, equal ones left alone. Returns the minutes.
with differing as materialized (
    select s.*, r.minute is not null as stands, r.read_at as old_read_at, r.value as old_value,
           r.suspect_value as old_suspect_value, r.quality as old_quality, r.text_value as old_text_value
    from pg_temp.staged_reading as s
    left join sos_ops.reading as r
      on r.minute = s.minute and r.device_id = s.device_id and r.point_id = s.point_id
      and r.minute between %(first)s and %(until)s
    where r.minute is null
       or (r.value, r.suspect_value, r.quality, r.text_value)
          is distinct from (s.value, s.suspect_value, s.quality, s.text_value)
), kept as (
    insert into sos_ops.reading_revision (minute, device_id, point_id, read_at, value, suspect_value, quality, text_value,
                                          map_id, superseded_at, superseded_by)
    select minute, device_id, point_id, old_read_at, old_value, old_suspect_value, old_quality, old_text_value, map_id,
           %(at)s, sos_ops.actor()
    from differing where stands
), removed as (
    delete from sos_ops.reading as r using differing as d
    where d.quality is null and r.minute = d.minute and r.device_id = d.device_id and r.point_id = d.point_id
      and r.minute between %(first)s and %(until)s
), written as (
    insert into sos_ops.reading as r (minute, device_id, point_id, read_at, value, suspect_value, quality, text_value)
    select minute, device_id, point_id, read_at, value, suspect_value, quality, text_value
    from differing where quality is not null
    on conflict (minute, device_id, point_id) do update
    set read_at = excluded.read_at, value = excluded.value, suspect_value = excluded.suspect_value,
        quality = excluded.quality, text_value = excluded.text_value
)
select distinct minute from differing order by minute;
