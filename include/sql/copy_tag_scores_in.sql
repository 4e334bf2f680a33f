copy sos_ops.tag_score (minute, tag_id, value, result_ts, score, missing, decided_at) from stdin (format binary)
