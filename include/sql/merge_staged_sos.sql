-- Rows that changed are kept as revisions and replaced, new ones added, equal ones left alone.
with changed as (
    select old.* from sos_ops.sos as old
    join pg_temp.staged_sos as new using (minute, set_id)
    where (old.value, old.upper, old.known, old.band, old.limiting_tag_id)
          is distinct from (new.value, new.upper, new.known, new.band, new.limiting_tag_id)
), kept as (
    insert into sos_ops.sos_revision (minute, value, upper, decided_at, set_id, limiting_tag_id, known, tags, band,
                                      superseded_at)
    select minute, value, upper, decided_at, set_id, limiting_tag_id, known, tags, band, %(decided_at)s from changed
    on conflict do nothing
), written as (
    insert into sos_ops.sos as s (minute, value, upper, decided_at, set_id, limiting_tag_id, known, tags, band)
    select new.minute, new.value, new.upper, new.decided_at, new.set_id, new.limiting_tag_id, new.known, new.tags,
           new.band
    from pg_temp.staged_sos as new
    left join sos_ops.sos as old using (minute, set_id)
    where (old.minute is null and new.active = 'Y')
       or exists (select 1 from changed as c where c.minute = new.minute and c.set_id = new.set_id)
    on conflict (minute, set_id) do update
    set value = excluded.value, upper = excluded.upper, known = excluded.known, band = excluded.band,
        limiting_tag_id = excluded.limiting_tag_id, decided_at = excluded.decided_at
    returning 1
)
select (select count(*) from written), (select count(*) from changed);
