-- Sets that may have a row in the span %(first)s .. %(last)s, with their tags in byte order.
select s.set_id, s.tag_ids, s.created_at, s.retired_at
from sos_ops.tag_set as s
where s.retired_at is null or (s.retired_at > %(first)s and s.created_at <= %(last)s)
order by s.set_id;
