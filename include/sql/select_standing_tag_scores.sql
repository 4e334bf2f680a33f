-- Tag scores that stand at the minutes %(first)s .. %(last)s; -1 and the epoch stand for NULL.
select array_agg(s.minute), array_agg(s.tag_id), array_agg(coalesce(s.value, 0)),
       array_agg(coalesce(s.result_ts, 'epoch')), array_agg(coalesce(s.score, -1)), array_agg(coalesce(s.missing, '-'))
from sos_ops.tag_score as s
where s.minute between %(first)s and %(last)s;
