-- UTC days that have a partition of raw registers, oldest first.
select to_date(right(c.relname, 10), 'YYYY_MM_DD')
from pg_inherits as i join pg_class as c on c.oid = i.inhrelid
where i.inhparent = 'sos_ops.raw_block'::regclass
order by 1;
