-- Rows that changed are kept as revisions and replaced, new ones added, equal ones left alone.
-- Staged minutes lie in %(first)s .. %(last)s: saying so spares a look through the rest of the day.
with differing as materialized (
    select new.*, old.minute is not null as stands, old.value as old_value, old.upper as old_upper,
           old.decided_at as old_decided_at, old.limiting_tag_id as old_limiting_tag_id, old.known as old_known,
           old.tags as old_tags, old.band as old_band
    from pg_temp.staged_sos as new
    left join sos_ops.sos as old
      on old.minute = new.minute and old.set_id = new.set_id and old.minute between %(first)s and %(last)s
    where case when old.minute is null then new.active = 'Y'
          else (old.value, old.upper, old.known, old.band, old.limiting_tag_id)
               is distinct from (new.value, new.upper, new.known, new.band, new.limiting_tag_id) end
), kept as (
    insert into sos_ops.sos_revision (minute, value, upper, decided_at, set_id, limiting_tag_id, known, tags, band,
                                      superseded_at)
    select minute, old_value, old_upper, old_decided_at, set_id, old_limiting_tag_id, old_known, old_tags, old_band,
           %(decided_at)s
    from differing where stands
    on conflict do nothing
), written as (
    insert into sos_ops.sos as s (minute, value, upper, decided_at, set_id, limiting_tag_id, known, tags, band)
    select minute, value, upper, decided_at, set_id, limiting_tag_id, known, tags, band from differing
    on conflict (minute, set_id) do update
    set value = excluded.value, upper = excluded.upper, known = excluded.known, band = excluded.band,
        limiting_tag_id = excluded.limiting_tag_id, decided_at = excluded.decided_at
    returning 1
)
select (select count(*) from written), (select count(*) from differing where stands);
