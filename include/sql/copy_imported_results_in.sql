copy sos_ops.result (tag_id, partner_id, ts, value, received_at, state) from stdin (format binary)
