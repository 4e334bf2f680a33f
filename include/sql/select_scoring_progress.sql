-- How far minutes are closed, the newest decided one, and (until some are closed) when the first set or tag began.
select p.closed_until, p.newest_decided,
       case when p.closed_until is null then
           (select min(c) from (select min(created_at) as c from sos_ops.tag_set
                                union all select min(created_at) from sos_ops.tag) as first)
       end
from sos_ops.scoring_progress as p;
