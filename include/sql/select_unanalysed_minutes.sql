-- Minutes from %(since)s on that brought readings and that %(engine)s has not analysed, newest first.
select distinct p.minute
from sos_ops.poll as p
where p.minute >= %(since)s and p.minute <= %(until)s and p.outcome <> 'failed'
  and not exists (select 1 from sos_ops.analysed as a where a.engine = %(engine)s and a.minute = p.minute)
order by p.minute desc
limit %(most)s;
