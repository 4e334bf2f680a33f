-- The labels of %(import_id)s: spans, rows of normal and anomalous ones.
select count(*), coalesce(sum(row_count) filter (where not anomalous), 0),
       coalesce(sum(row_count) filter (where anomalous), 0)
from sos_ops.label where import_id = %(import_id)s;
