-- A different value is not lost but set aside, as at the partners' door; every line of the file that says so is told.
with differing as materialized (
    select s.tag_id, s.ts, s.value, s.line, r.value as stands
    from pg_temp.staged_result as s
    join sos_ops.result as r on r.tag_id = s.tag_id and r.ts = s.ts and r.partner_id = %(partner_id)s
    where r.value <> s.value
), kept as (
    insert into sos_ops.result_set_aside (tag_id, partner_id, ts, value, received_at, reason)
    select d.tag_id, %(partner_id)s, d.ts, d.value, %(received_at)s,
           format('a different value (%%s) for this tag and TIMESTAMP arrived first', d.stands)
    from differing as d
    on conflict do nothing
)
select line, value::text from differing;
