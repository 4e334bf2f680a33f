-- An import that begins.
insert into sos_ops.import (data_set, file_name, file_bytes, mapping, mapping_sha256, partner_id, device_id)
values (%(data_set)s, %(file_name)s, %(file_bytes)s, %(mapping)s, %(mapping_sha256)s, %(partner_id)s, %(device_id)s)
returning import_id;
