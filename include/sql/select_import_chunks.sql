-- The chunks of %(import_id)s that some lane has stored, in order.
select chunk, min(content_begin), min(content_end), min(first_line), min(line_count), min(prefix_sha256),
       array_agg(lane order by lane)
from sos_ops.import_chunk
where import_id = %(import_id)s
group by chunk order by chunk;
