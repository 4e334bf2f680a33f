-- How far minutes are closed, the newest decided one, and when the first set or tag began to exist.
select p.closed_until, p.newest_decided,
       (select min(c) from (select min(created_at) as c from sos_ops.tag_set
                            union all select min(created_at) from sos_ops.tag) as first)
from sos_ops.scoring_progress as p;
