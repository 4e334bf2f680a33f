-- A new version of the rules for a tag's requests.
insert into sos_ops.warning_request_rule (tag_id, version, nearest_threshold, farthest_threshold, auto_tighten,
                                          min_interval_s, changed_by)
select %(tag_id)s, coalesce(max(r.version), 0) + 1, %(nearest)s, %(farthest)s, %(auto_tighten)s, %(min_interval_s)s,
       sos_ops.actor()
from sos_ops.warning_request_rule as r where r.tag_id = %(tag_id)s;
