-- Requests, newest first: those that wait for a person, or all. One that nobody decided is over with its tag: told from
-- the tag, so that it holds from the moment of retirement, whoever retires it and whatever else runs then.
select w.warning_request_id, t.tag::text, p.name, l.warning_threshold, w.requested_threshold, w.ts, w.first_asked_at,
       w.last_asked_at, w.asked, w.limits_version, case when o.over then 'ended' else w.state end,
       case when o.over then 'tag retired' else w.rule end,
       case when o.over then 'the tag was retired before anybody decided' else w.reason end, w.decided_by,
       case when o.over then t.retired_at else w.decided_at end, w.applied_version
from sos_ops.warning_request as w
join sos_ops.tag as t using (tag_id)
join sos_ops.partner as p using (partner_id)
cross join lateral (select w.state = 'proposed' and t.retired_at is not null as over) as o
cross join lateral (
    select v.warning_threshold from sos_ops.tag_limits as v where v.tag_id = t.tag_id order by v.version desc limit 1
) as l
where %(everything)s or (w.state = 'proposed' and not o.over)
order by w.last_asked_at desc, w.warning_request_id desc limit %(limit)s;
