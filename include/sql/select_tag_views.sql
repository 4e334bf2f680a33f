-- Tags in use with the limits valid now and the newest accepted result.
select c.tag, c.site, c.partner, c.unit, c.action, c.max_count, c.maximum_safe_value, c.warning_threshold,
       c.upper_safety_limit, c.max_age_s, r.value, r.ts
from sos_ops.tag_current as c
left join lateral (
    select x.value, x.ts from sos_ops.result as x
    where x.tag_id = c.tag_id and x.partner_id = c.partner_id and x.state = 'A' and x.ts <= %(now)s
    order by x.ts desc limit 1
) as r on true
where %(site)s::text is null or c.site = %(site)s
order by c.site, c.tag;
