-- Every version of the limits of the tags of select_scored_tags.sql.
select array_agg(l.tag_id), array_agg(l.valid_from), array_agg(l.maximum_safe_value), array_agg(l.warning_threshold),
       array_agg(l.upper_safety_limit), array_agg(l.max_age_s)
from sos_ops.tag_limits as l
join sos_ops.tag as t using (tag_id)
where t.retired_at is null or (t.retired_at > %(first)s and t.created_at <= %(last)s);
