-- The newest decided minute that has come: after the clock was set back, decided minutes lie in the future.
select case when p.newest_decided <= sos_ops.now() then p.newest_decided
            else (select max(s.minute) from sos_ops.tag_score as s
                  where s.minute <= sos_ops.now() and s.minute > sos_ops.now() - interval '2 days') end
from sos_ops.scoring_progress as p;
