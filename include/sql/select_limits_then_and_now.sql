-- A version of a tag's limits, and the newest.
select v.version, v.maximum_safe_value, v.warning_threshold, v.upper_safety_limit, v.max_age_s, v.max_count,
       v.changed_by, v.why
from sos_ops.tag_limits as v
where v.tag_id = %(tag_id)s
  and v.version in (%(version)s, (select max(m.version) from sos_ops.tag_limits as m where m.tag_id = v.tag_id))
order by v.version;
