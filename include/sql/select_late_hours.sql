-- Hours holding results that arrived since %(since)s more than five minutes after their TIMESTAMP, and the longest
-- max_age: the minutes they count for reach that much further.
select date_trunc('hour', r.ts, 'UTC') as hour, max(l.max_age_s)
from sos_ops.result as r
join sos_ops.tag_limits as l using (tag_id)
where r.received_at >= %(since)s and r.received_at > r.ts + interval '5 minutes'
group by 1 order by 1;
