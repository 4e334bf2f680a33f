-- The lowest and the highest accepted result of each tag in every %(bucket_s)s seconds of [%(since)s, %(until)s], and
-- its first and newest: what a chart of many results cannot do without. Time stands as seconds since 1970.
with result as (
    select c.tag, r.value, extract(epoch from r.ts)::double precision as at,
           floor(extract(epoch from r.ts - %(since)s::timestamptz) / %(bucket_s)s::double precision) as bucket
    from sos_ops.tag_current as c
    join sos_ops.result as r on r.tag_id = c.tag_id and r.partner_id = c.partner_id and r.state = 'A'
    where c.tag = any (%(tags)s::text[]) and r.ts between %(since)s and %(until)s
), extreme as (
    select tag, min(array[value, at]) as lowest, max(array[value, at]) as highest,
           min(array[at, value]) as first, max(array[at, value]) as newest
    from result group by tag, bucket
), kept as (
    select tag, lowest[2] as at, lowest[1] as value from extreme
    union
    select tag, highest[2], highest[1] from extreme
    union
    select tag, (min(first))[1], (min(first))[2] from extreme group by tag
    union
    select tag, (max(newest))[1], (max(newest))[2] from extreme group by tag
)
select tag, to_timestamp(at), value from kept order by tag, at;
