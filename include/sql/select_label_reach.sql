-- How far the labels of %(import_id)s reach, per subject, and the newest of each.
select distinct on (site, tag_id, device_id) site, tag_id, device_id,
       min(from_at) over whole, to_at, label_id, label
from sos_ops.label
where import_id = %(import_id)s
window whole as (partition by site, tag_id, device_id)
order by site, tag_id, device_id, to_at desc, label_id desc;
