-- What is known about the results given as arrays, sorted by tag, partner and time, in that order; times as microseconds
-- since 2000. No NULLs: infinities and NaN stand for what there is not. The last three columns are the history for the
-- rate of change: the number of the row it was found for (from 1), time and value.
with given as (
    select g.n, g.tag_id, g.partner_id, timestamptz '2000-01-01 00:00+00' + g.micros * interval '1 microsecond' as ts,
           g.value,
           case when lag(g.tag_id) over w = g.tag_id and lag(g.partner_id) over w = g.partner_id
                then timestamptz '2000-01-01 00:00+00' + (lag(g.micros) over w) * interval '1 microsecond' end as before
    from unnest(%(tag_ids)s::int[], %(partner_ids)s::smallint[], %(micros)s::bigint[], %(values)s::float8[])
         with ordinality as g (tag_id, partner_id, micros, value, n)
    window w as (order by g.n)
), known as materialized (
    select g.*, c.plausible_low, c.plausible_high, c.max_rate, c.stuck_minutes
    from given as g left join sos_ops.tag_checks_current as c using (tag_id)
), history as materialized (
    -- Accepted plausible results since the row before in this batch: all of the last minute, and the newest before that
    -- (for the first row of a tag: of the last day). What lies before the row before was found for that one.
    select g.n::int as n, h.ts, h.value
    from known as g
    cross join lateral (
        select x.ts, x.value from sos_ops.result as x
        where x.tag_id = g.tag_id and x.partner_id = g.partner_id and x.state = 'A' and x.ts < g.ts
          and x.ts > greatest(g.before, g.ts - interval '1 minute')
          and x.value between coalesce(g.plausible_low, '-Infinity') and coalesce(g.plausible_high, 'Infinity')
        union all
        (select x.ts, x.value from sos_ops.result as x
         where x.tag_id = g.tag_id and x.partner_id = g.partner_id and x.state = 'A'
           and x.ts <= g.ts - interval '1 minute' and x.ts > coalesce(g.before, g.ts - interval '1 day')
           and x.value between coalesce(g.plausible_low, '-Infinity') and coalesce(g.plausible_high, 'Infinity')
         order by x.ts desc limit 1)
    ) as h
    where g.max_rate is not null
)
select array_agg(coalesce(l.maximum_safe_value, 'NaN') order by g.n),
       array_agg(coalesce(l.warning_threshold, 'NaN') order by g.n),
       array_agg(coalesce(g.plausible_low, '-Infinity') order by g.n),
       array_agg(coalesce(g.plausible_high, 'Infinity') order by g.n),
       array_agg(coalesce(g.max_rate, 'Infinity') order by g.n),
       array_agg(coalesce(g.stuck_minutes * 60, 'Infinity') order by g.n),
       array_agg(coalesce(extract(epoch from g.ts - s.since), 0)::float8 order by g.n),
       array_agg(coalesce(o.other_values, 0) order by g.n),
       (select array_agg(h.n order by h.n, h.ts) from history as h),
       (select array_agg(h.ts order by h.n, h.ts) from history as h),
       (select array_agg(h.value order by h.n, h.ts) from history as h)
from known as g
left join lateral (
    select v.maximum_safe_value, v.warning_threshold, v.max_age_s from sos_ops.tag_limits as v
    where v.tag_id = g.tag_id and v.valid_from <= g.ts order by v.valid_from desc limit 1
) as l on true
left join lateral (  -- since when the value is the same, in whatever state, without a gap longer than max_age
    select min(h.ts) as since
    from (
        select y.ts, bool_or(y.breaks) over (order by y.ts desc) as broken
        from (
            select x.ts, x.value <> g.value
                         or lead(x.ts, 1, g.ts) over (order by x.ts) - x.ts > make_interval(secs => l.max_age_s) as breaks
            from sos_ops.result as x
            where x.tag_id = g.tag_id and x.partner_id = g.partner_id and x.ts < g.ts
              and x.ts >= g.ts - make_interval(secs => g.stuck_minutes * 60 + l.max_age_s)
        ) as y
    ) as h
    where not h.broken
) as s on g.stuck_minutes is not null
left join lateral (
    select count(*)::int as other_values from sos_ops.result_set_aside as a
    where a.tag_id = g.tag_id and a.ts = g.ts and a.partner_id = g.partner_id
) as o on true;
