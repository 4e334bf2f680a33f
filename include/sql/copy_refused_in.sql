copy sos_ops.import_refused (import_id, line, column_name, reason, content) from stdin (format csv)
