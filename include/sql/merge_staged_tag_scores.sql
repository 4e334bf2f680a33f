-- Rows that changed are kept as revisions and replaced, new ones added, equal ones left alone.
with changed as (
    select old.* from sos_ops.tag_score as old
    join pg_temp.staged_tag_score as new using (minute, tag_id)
    where (old.value, old.result_ts, old.score, old.missing)
          is distinct from (new.value, new.result_ts, new.score, new.missing)
), kept as (
    insert into sos_ops.tag_score_revision (minute, value, result_ts, score, decided_at, tag_id, missing, superseded_at)
    select minute, value, result_ts, score, decided_at, tag_id, missing, %(decided_at)s from changed
    on conflict do nothing
), written as (
    insert into sos_ops.tag_score as s (minute, value, result_ts, score, decided_at, tag_id, missing)
    select new.minute, new.value, new.result_ts, new.score, new.decided_at, new.tag_id, new.missing
    from pg_temp.staged_tag_score as new
    left join sos_ops.tag_score as old using (minute, tag_id)
    where (old.minute is null and new.active = 'Y')
       or exists (select 1 from changed as c where c.minute = new.minute and c.tag_id = new.tag_id)
    on conflict (minute, tag_id) do update
    set value = excluded.value, result_ts = excluded.result_ts, score = excluded.score,
        missing = excluded.missing, decided_at = excluded.decided_at
    returning 1
)
select (select count(*) from written), (select count(*) from changed);
