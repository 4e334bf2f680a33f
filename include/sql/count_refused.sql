-- What was refused, by reason, the most frequent first, with the first few lines of each.
select r.reason, count(*), (array_agg(r.line order by r.line))[1:5],
       (array_agg(r.content order by r.line))[1]
from sos_ops.import_refused as r
where r.import_id = %(import_id)s
group by r.reason order by count(*) desc, r.reason;
