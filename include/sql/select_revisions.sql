-- What was decided before of a set at a minute, oldest first: SoS rows, then tag scores.
select 'SoS' as what, r.decided_at, r.superseded_at, r.value, r.upper, r.known, r.tags, null::"char" as missing,
       null::timestamptz as result_ts, null::double precision as score
from sos_ops.sos_revision as r where r.set_id = %(set_id)s and r.minute = %(minute)s
union all
select t.tag, r.decided_at, r.superseded_at, r.value, null, null, null, r.missing, r.result_ts, r.score
from sos_ops.tag_score_revision as r
join sos_ops.tag as t using (tag_id)
join sos_ops.tag_set as s on r.tag_id = any (s.tag_ids)
where s.set_id = %(set_id)s and r.minute = %(minute)s
order by decided_at, what;
