-- Every tag in use with what was measured of it last (NULLs: never), and its newest accepted row as of now.
select c.partner, c.tag::text, h.measured_at, h.hour_rows, h.hour_rows_per_minute, h.hour_set_aside,
       h.hour_lateness_p50_s, h.hour_lateness_p95_s, h.day_rows, h.day_rows_per_minute, h.day_set_aside,
       h.day_lateness_p50_s, h.day_lateness_p95_s, n.ts, c.max_age_s
from sos_ops.tag_current as c
left join sos_ops.partner_health as h using (tag_id)
left join lateral (
    select r.ts from sos_ops.result as r
    where r.tag_id = c.tag_id and r.partner_id = c.partner_id and r.state = 'A' order by r.ts desc limit 1
) as n on true
where %(partner)s::text is null or c.partner = %(partner)s
order by c.partner, c.tag;
