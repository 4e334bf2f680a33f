-- Accepted results of the tags in [%(since)s, %(until)s].
select c.tag, r.ts, r.value
from sos_ops.tag_current as c
join sos_ops.result as r on r.tag_id = c.tag_id and r.partner_id = c.partner_id and r.state = 'A'
where c.tag = any (%(tags)s::text[]) and r.ts between %(since)s and %(until)s
order by c.tag, r.ts;
