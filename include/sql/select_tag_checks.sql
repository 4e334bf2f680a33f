-- The checks of a tag in use; no row when there is no such tag, NULLs where nothing is set.
select c.plausible_low, c.plausible_high, c.max_rate, c.stuck_minutes, c.version, c.changed_by, c.changed_at,
       c.why
from sos_ops.tag as t
left join sos_ops.tag_checks_current as c using (tag_id)
where t.tag = %(tag)s and t.retired_at is null;
