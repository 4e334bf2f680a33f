-- A new version of a tag's checks, unless nothing changes. NULL leaves a check as it is, an infinity takes it away.
with old as (
    select t.tag_id, coalesce(c.version, 0) as version,
           c.plausible_low, c.plausible_high, c.max_rate, c.stuck_minutes
    from sos_ops.tag as t left join sos_ops.tag_checks_current as c using (tag_id)
    where t.tag = %(tag)s and t.retired_at is null
), asked as (
    select old.*, coalesce(%(plausible_low)s::double precision, plausible_low) as new_low,
           coalesce(%(plausible_high)s::double precision, plausible_high) as new_high,
           coalesce(%(max_rate)s::double precision, max_rate) as new_rate,
           coalesce(%(stuck_minutes)s::double precision, stuck_minutes) as new_stuck
    from old
), new as (
    select tag_id, version, (plausible_low, plausible_high, max_rate, stuck_minutes) as before,
           case when abs(new_low) < 'Infinity' then new_low end as low,
           case when abs(new_high) < 'Infinity' then new_high end as high,
           case when new_rate < 'Infinity' then new_rate end as rate,
           case when new_stuck < 'Infinity' then new_stuck end as stuck
    from asked
)
insert into sos_ops.tag_checks (tag_id, version, plausible_low, plausible_high, max_rate, stuck_minutes, why)
select tag_id, version + 1, low, high, rate, stuck, coalesce(%(why)s::text, 'no reason was given') from new where before is distinct from (low, high, rate, stuck);
