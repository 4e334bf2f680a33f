-- A span goes on in the next chunk.
update sos_ops.label set to_at = %(to_at)s, row_count = row_count + %(row_count)s where label_id = %(label_id)s;
