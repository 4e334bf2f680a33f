-- Names of the tags and partners of results, and until when each tag was in use.
select t.tag_id, t.partner_id, t.tag, t.retired_at from sos_ops.tag as t
where t.tag_id = any (%(tag_ids)s::int[]);
