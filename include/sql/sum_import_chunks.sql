-- What the lanes stored of %(import_id)s.
select coalesce(sum(line_count) filter (where lane = 0), 0), coalesce(sum(stored), 0), coalesce(sum(known), 0),
       coalesce(sum(set_aside), 0), coalesce(sum(not_kept), 0), coalesce(sum(missing), 0), min(first_at), max(last_at)
from sos_ops.import_chunk where import_id = %(import_id)s;
