copy pg_temp.staged_result (tag_id, ts, value, line) from stdin (format binary)
