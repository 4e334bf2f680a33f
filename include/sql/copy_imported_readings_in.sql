copy pg_temp.imported_reading (minute, point_id, read_at, value, suspect_value, quality, line) from stdin (format binary)
