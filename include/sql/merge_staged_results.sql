-- The first of a tag and time stays, whether it stands or comes first in the file.
with written as (
    insert into sos_ops.result (tag_id, partner_id, ts, value, received_at, state)
    select distinct on (s.tag_id, s.ts) s.tag_id, %(partner_id)s, s.ts, s.value, %(received_at)s,
           case when s.ts > %(live_since)s then 'N' else 'I' end::"char"
    from pg_temp.staged_result as s
    order by s.tag_id, s.ts, s.line
    on conflict do nothing
    returning 1
)
select count(*) from written;
