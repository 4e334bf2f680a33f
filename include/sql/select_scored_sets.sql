-- Sets that may have a row in the span %(first)s .. %(last)s, with their tags in byte order: one row per number of tags.
select array_agg(s.set_id), array_agg(s.tag_ids), array_agg(s.created_at), array_agg(coalesce(s.retired_at, 'infinity'))
from sos_ops.tag_set as s
where s.retired_at is null or (s.retired_at > %(first)s and s.created_at <= %(last)s)
group by cardinality(s.tag_ids);
