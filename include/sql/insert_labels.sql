-- Spans of labels, with the numbers they get.
insert into sos_ops.label (import_id, site, tag_id, device_id, from_at, to_at, anomalous, label, row_count)
select %(import_id)s, x.site, x.tag_id, x.device_id, x.from_at, x.to_at, x.anomalous, x.label, x.row_count
from unnest(%(sites)s::text[], %(tag_ids)s::int[], %(device_ids)s::int[], %(from_ats)s::timestamptz[],
            %(to_ats)s::timestamptz[], %(anomalous)s::boolean[], %(labels)s::text[], %(row_counts)s::bigint[])
     with ordinality as x (site, tag_id, device_id, from_at, to_at, anomalous, label, row_count, place)
order by x.place
returning label_id;
