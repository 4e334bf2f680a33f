-- Rows that changed are kept as revisions and replaced, new ones added, equal ones left alone.
-- Staged minutes lie in %(first)s .. %(last)s: saying so spares a look through the rest of the day.
with differing as materialized (
    select new.*, old.minute is not null as stands, old.value as old_value, old.result_ts as old_result_ts,
           old.score as old_score, old.decided_at as old_decided_at, old.missing as old_missing
    from pg_temp.staged_tag_score as new
    left join sos_ops.tag_score as old
      on old.minute = new.minute and old.tag_id = new.tag_id and old.minute between %(first)s and %(last)s
    where case when old.minute is null then new.active = 'Y'
          else (old.value, old.result_ts, old.score, old.missing)
               is distinct from (new.value, new.result_ts, new.score, new.missing) end
), kept as (
    insert into sos_ops.tag_score_revision (minute, value, result_ts, score, decided_at, tag_id, missing, superseded_at)
    select minute, old_value, old_result_ts, old_score, old_decided_at, tag_id, old_missing, %(decided_at)s
    from differing where stands
    on conflict do nothing
), written as (
    insert into sos_ops.tag_score as s (minute, value, result_ts, score, decided_at, tag_id, missing)
    select minute, value, result_ts, score, decided_at, tag_id, missing from differing
    on conflict (minute, tag_id) do update
    set value = excluded.value, result_ts = excluded.result_ts, score = excluded.score,
        missing = excluded.missing, decided_at = excluded.decided_at
    returning 1
)
select (select count(*) from written), (select count(*) from differing where stands);
