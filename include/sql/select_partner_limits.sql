-- The limits now in force of the partner's tags; one row of NULLs for a partner without tags.
select c.tag, c.maximum_safe_value, c.warning_threshold, c.upper_safety_limit
from sos_ops.partner as p left join sos_ops.tag_current as c using (partner_id)
where p.name = %(partner)s;
