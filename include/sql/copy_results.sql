-- Accepted results of the tags in (%(after)s, %(until)s] that had arrived by %(known_by)s, by tag and time.
-- Tag number is the position in %(tag_ids)s.
copy (
    select t.number::int4 - 1, r.ts, r.value
    from unnest(%(tag_ids)s::int4[], %(partner_ids)s::int2[]) with ordinality as t (tag_id, partner_id, number)
    cross join lateral (
        select x.ts, x.value
        from sos_ops.result as x
        where x.tag_id = t.tag_id and x.partner_id = t.partner_id
          and x.ts > %(after)s and x.ts <= %(until)s
          and (%(known_by)s::timestamptz is null or x.received_at <= %(known_by)s)
        order by x.ts
    ) as r
    order by t.number, r.ts
) to stdout (format binary)
