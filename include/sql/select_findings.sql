-- Findings of runs since %(since)s, newest first, at most %(most)s.
select v.ran_at, f.minute, p.name, t.tag, f.kind, f.count, f.sentence
from sos_ops.validation_run as v
join sos_ops.finding as f using (run_id)
left join sos_ops.partner as p on p.partner_id = f.partner_id
left join sos_ops.tag as t on t.tag_id = f.tag_id
where v.ran_at >= %(since)s
order by v.ran_at desc, f.finding_id desc
limit %(most)s;
