-- Measures every tag in use over the hour and the day before %(at)s, by when its rows arrived, and keeps each whole hour.
-- Rows stamped more than a day before the day measured are history being filled: they say nothing about lateness.
with arrived as materialized (
    select r.tag_id, r.received_at, extract(epoch from r.received_at - r.ts)::double precision as lateness_s,
           r.state = 'S' as is_aside
    from sos_ops.result as r
    where r.received_at > %(at)s::timestamptz - interval '1 day' and r.received_at <= %(at)s
      and r.ts > %(at)s::timestamptz - interval '2 days'
    union all
    select a.tag_id, a.received_at, extract(epoch from a.received_at - a.ts)::double precision, true
    from sos_ops.result_set_aside as a
    where a.received_at > %(at)s::timestamptz - interval '1 day' and a.received_at <= %(at)s
      and a.ts > %(at)s::timestamptz - interval '2 days'
), span as (
    select %(at)s::timestamptz - interval '1 hour' as hour_ago,
           date_trunc('hour', %(at)s::timestamptz, 'UTC') as this_hour
), measured as (
    select tag_id,
           count(*) filter (where received_at > hour_ago) as hour_rows,
           count(*) filter (where received_at > hour_ago and is_aside) as hour_aside,
           percentile_cont(array[0.5, 0.95]) within group (order by lateness_s)
               filter (where received_at > hour_ago) as hour_lateness,
           count(*) as day_rows,
           count(*) filter (where is_aside) as day_aside,
           percentile_cont(array[0.5, 0.95]) within group (order by lateness_s) as day_lateness
    from arrived cross join span group by tag_id
), gone as (
    delete from sos_ops.partner_health as h
    where not exists (select from sos_ops.tag as t where t.tag_id = h.tag_id and t.retired_at is null)
), now_measured as (
    insert into sos_ops.partner_health as h
    select c.tag_id, %(at)s, coalesce(m.hour_rows, 0),
           coalesce(m.hour_rows, 0) / (greatest(least(in_use.s, 3600), 60) / 60), coalesce(m.hour_aside, 0),
           m.hour_lateness[1], m.hour_lateness[2], coalesce(m.day_rows, 0),
           coalesce(m.day_rows, 0) / (greatest(least(in_use.s, 86400), 60) / 60), coalesce(m.day_aside, 0),
           m.day_lateness[1], m.day_lateness[2], n.ts
    from sos_ops.tag_current as c
    cross join lateral (
        select extract(epoch from %(at)s::timestamptz - c.created_at)::double precision as s) as in_use
    left join measured as m on m.tag_id = c.tag_id
    left join lateral (
        select r.ts from sos_ops.result as r
        where r.tag_id = c.tag_id and r.partner_id = c.partner_id and r.state = 'A' order by r.ts desc limit 1
    ) as n on true
    on conflict (tag_id) do update
    set (measured_at, hour_rows, hour_rows_per_minute, hour_set_aside, hour_lateness_p50_s, hour_lateness_p95_s,
         day_rows, day_rows_per_minute, day_set_aside, day_lateness_p50_s, day_lateness_p95_s, newest_accepted)
      = (excluded.measured_at, excluded.hour_rows, excluded.hour_rows_per_minute, excluded.hour_set_aside,
         excluded.hour_lateness_p50_s, excluded.hour_lateness_p95_s, excluded.day_rows,
         excluded.day_rows_per_minute, excluded.day_set_aside, excluded.day_lateness_p50_s,
         excluded.day_lateness_p95_s, excluded.newest_accepted)
    returning 1
), by_hour as (
    select date_trunc('hour', received_at, 'UTC') as hour, tag_id, count(*) as rows,
           count(*) filter (where is_aside) as set_aside,
           percentile_cont(array[0.5, 0.95]) within group (order by lateness_s) as lateness
    from arrived group by 1, 2
), hours_kept as (
    insert into sos_ops.partner_health_hour as k
    select g.hour, c.tag_id, coalesce(b.rows, 0), coalesce(b.set_aside, 0), b.lateness[1], b.lateness[2]
    from span
    cross join generate_series(this_hour - interval '23 hours', this_hour - interval '1 hour', interval '1 hour')
        as g (hour)
    join sos_ops.tag_current as c on c.created_at < g.hour + interval '1 hour'
    left join by_hour as b on b.hour = g.hour and b.tag_id = c.tag_id
    on conflict (hour, tag_id) do update
    set (rows, set_aside, lateness_p50_s, lateness_p95_s)
      = (excluded.rows, excluded.set_aside, excluded.lateness_p50_s, excluded.lateness_p95_s)
    where (k.rows, k.set_aside, k.lateness_p50_s, k.lateness_p95_s)
          is distinct from (excluded.rows, excluded.set_aside, excluded.lateness_p50_s, excluded.lateness_p95_s)
    returning 1
), old as (
    delete from sos_ops.partner_health_hour where hour < %(at)s::timestamptz - make_interval(days => %(kept_days)s)
)
select (select count(*) from now_measured), (select count(*) from hours_kept);
