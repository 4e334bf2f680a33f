-- The partner %(partner)s and its tags in use; one row without a tag when it has none.
select p.partner_id, t.tag, t.tag_id, t.site
from sos_ops.partner as p
left join sos_ops.tag as t on t.partner_id = p.partner_id and t.retired_at is null
where p.name = %(partner)s and p.retired_at is null;
