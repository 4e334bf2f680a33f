-- Imports that may be of the same file under the same mapping, newest first.
select import_id, data_set, content_sha256, began_at, finished_at, report
from sos_ops.import
where mapping_sha256 = %(mapping_sha256)s and file_bytes = %(file_bytes)s
  and partner_id is not distinct from %(partner_id)s and device_id is not distinct from %(device_id)s
order by import_id desc;
