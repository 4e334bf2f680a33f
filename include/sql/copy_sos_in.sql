copy sos_ops.sos (minute, set_id, value, upper, known, tags, band, limiting_tag_id, decided_at) from stdin (format binary)
