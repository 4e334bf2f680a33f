copy sos_ops.reading (minute, device_id, point_id, read_at, value, suspect_value, quality, text_value) from stdin
