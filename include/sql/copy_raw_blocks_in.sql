copy sos_ops.raw_block (minute, read_at, device_id, map_id, start, function, registers) from stdin
