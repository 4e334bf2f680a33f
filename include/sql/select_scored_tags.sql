-- Tags that may have a score in the span %(first)s .. %(last)s, in byte order of their names: every tag not retired,
-- and those retired in or after it.
select array_agg(t.tag_id), array_agg(t.created_at), array_agg(coalesce(t.retired_at, 'infinity'))
from (
    select * from sos_ops.tag
    where retired_at is null or (retired_at > %(first)s and created_at <= %(last)s)
    order by tag collate "C", tag_id
) as t;
