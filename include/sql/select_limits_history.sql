-- Every version of a tag's limits, oldest first.
select version, nullif(valid_from, '-infinity'), maximum_safe_value, warning_threshold, upper_safety_limit, max_age_s,
       max_count, action, changed_by, changed_at, why
from sos_ops.tag_limits where tag_id = %(tag_id)s order by version;
