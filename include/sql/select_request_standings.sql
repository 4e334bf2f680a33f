-- How tags stand when a request is judged: limits in force, those a person set last, rules, what was decided before.
select t.tag_id, t.tag::text, p.name, t.retired_at is not null, l.version,
       l.maximum_safe_value, l.warning_threshold, l.upper_safety_limit,
       b.maximum_safe_value, b.warning_threshold, b.upper_safety_limit,
       r.nearest_threshold, r.farthest_threshold, r.auto_tighten, r.min_interval_s,
       (select max(w.decided_at) from sos_ops.warning_request as w
        where w.tag_id = t.tag_id and w.state in ('applied', 'approved')),
       j.requested_threshold, j.decided_at, a.ts, a.requested_threshold
from sos_ops.tag as t
join sos_ops.partner as p using (partner_id)
cross join lateral (
    select v.* from sos_ops.tag_limits as v where v.tag_id = t.tag_id order by v.version desc limit 1
) as l
cross join lateral (
    select v.* from sos_ops.tag_limits as v
    where v.tag_id = t.tag_id
      and not exists (select from sos_ops.warning_request as w
                      where w.tag_id = v.tag_id and w.applied_version = v.version and w.state = 'applied')
    order by v.version desc limit 1
) as b
left join lateral (
    select x.* from sos_ops.warning_request_rule as x where x.tag_id = t.tag_id order by x.version desc limit 1
) as r on true
left join lateral (
    select w.requested_threshold, w.decided_at from sos_ops.warning_request as w
    where w.tag_id = t.tag_id and w.state = 'rejected' order by w.decided_at desc limit 1
) as j on true
left join lateral (
    -- Rows stamped ahead of a clock that was set back since do not stand in the way.
    select w.ts, w.requested_threshold from sos_ops.warning_request as w
    where w.tag_id = t.tag_id and w.ts <= sos_ops.now() + interval '60 seconds'
    order by w.ts desc, w.warning_request_id desc limit 1
) as a on true
where t.tag_id = any (%(tag_ids)s);
