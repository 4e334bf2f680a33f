-- Hours holding results that count since %(since)s and that no live run brings in any more, and the longest max_age: the
-- minutes they count for reach that much further. A live run brings in what counts within five minutes of its
-- TIMESTAMP. Three are taken here, since a decision is stamped before its transaction is seen.
select date_trunc('hour', r.ts, 'UTC') as hour, max(l.max_age_s)
from sos_ops.result as r
join sos_ops.tag_limits as l using (tag_id)
where r.state = 'A' and r.decided_at >= %(since)s and r.decided_at - r.ts > interval '3 minutes'
  -- A day without a partition has no rows to revise; a backfill may make them.
  and to_regclass('sos_ops.sos_' || to_char(r.ts at time zone 'UTC', 'YYYY_MM_DD')) is not null
group by 1 order by 1;
