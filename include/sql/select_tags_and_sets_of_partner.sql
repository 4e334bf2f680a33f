-- The tags of a partner (or one tag, whoever's) and the sets they belong to, all in use.
select coalesce(array_agg(c.tag::text order by c.tag), '{}'),
       (select coalesce(array_agg(s.set_id order by s.set_id), '{}') from sos_ops.tag_set as s
        where s.retired_at is null and s.tag_ids && array_agg(c.tag_id))
from sos_ops.tag_current as c where c.partner = %(partner)s or c.tag = %(tag)s;
