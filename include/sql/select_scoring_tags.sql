-- Tags that may have a score in the span: %(first)s .. %(last)s. Every tag not retired, and those retired in or after it.
select t.tag_id, t.partner_id, t.tag, t.created_at, t.retired_at
from sos_ops.tag as t
where t.retired_at is null or (t.retired_at > %(first)s and t.created_at <= %(last)s)
order by t.tag collate "C", t.tag_id;
