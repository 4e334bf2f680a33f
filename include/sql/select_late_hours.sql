-- Hours holding results that arrived since %(since)s and that no live run brings in any more, and the longest max_age:
-- the minutes they count for reach that much further. Either they arrived more than five minutes after their
-- TIMESTAMP, or they were stamped in time but seen too late, because their transaction was long: then the score of
-- their first minute stands on an older result, and live runs have left that minute behind.
select date_trunc('hour', r.ts, 'UTC') as hour, max(l.max_age_s)
from sos_ops.result as r
join sos_ops.tag_limits as l using (tag_id)
cross join sos_ops.scoring_progress as p
left join sos_ops.tag_score as s
  on s.tag_id = r.tag_id
  and s.minute = date_trunc('minute', r.ts + interval '1 minute' - interval '1 microsecond', 'UTC')
  and s.minute >= %(since)s::timestamptz - interval '6 minutes'
  and s.minute <= p.newest_decided - interval '5 minutes'
where r.received_at >= %(since)s
  and (r.received_at > r.ts + interval '5 minutes'
       or (s.minute is not null and (s.result_ts is null or s.result_ts < r.ts)))
  -- A day without a partition has no rows to revise; a backfill may make them.
  and to_regclass('sos_ops.sos_' || to_char(r.ts at time zone 'UTC', 'YYYY_MM_DD')) is not null
group by 1 order by 1;
