-- The newest run of validation, and how many results wait for one (counted up to %(most)s).
select v.ran_at, v.failures,
       (select count(*) from (select from sos_ops.result where state = 'N' limit %(most)s) as waiting)
from (select) as always
left join lateral (select ran_at, failures from sos_ops.validation_run order by ran_at desc limit 1) as v on true;
