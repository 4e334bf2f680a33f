-- Every version of the limits of %(tag_ids)s. The first version of a tag holds from the beginning of time.
select l.tag_id, nullif(l.valid_from, '-infinity'), l.maximum_safe_value, l.warning_threshold,
       l.upper_safety_limit, l.max_age_s
from sos_ops.tag_limits as l
where l.tag_id = any (%(tag_ids)s::int[])
order by l.tag_id, l.valid_from;
