-- Minutes in [%(first)s, %(until)s] whose readings %(engine)s has not seen, or not as they last changed, newest first;
-- only those that changed since %(changed_since)s, unless that is NULL.
select m.minute, m.changes
from sos_ops.read_minute as m
left join sos_ops.analysed as a on a.engine = %(engine)s and a.minute = m.minute
where m.minute between %(first)s and %(until)s
  and (%(changed_since)s::timestamptz is null or m.changed_at >= %(changed_since)s)
  and (a.minute is null or a.changes < m.changes)
order by m.minute desc
limit %(most)s;
