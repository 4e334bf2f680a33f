-- A new version of a tag's limits; NULL keeps what is in force.
select sos_ops.change_limits(c.tag_id, coalesce(%(x100)s::double precision, c.maximum_safe_value),
                             coalesce(%(xl)s::double precision, c.warning_threshold),
                             coalesce(%(l)s::double precision, c.upper_safety_limit),
                             coalesce(%(max_age_s)s::int, c.max_age_s),
                             coalesce(%(max_count)s::int, c.max_count), nullif(coalesce(%(action)s::text, c.action), ''),
                             %(why)s)
from sos_ops.tag_current as c where c.tag_id = %(tag_id)s;
