copy (
    select line, column_name as "column", reason, content
    from sos_ops.import_refused where import_id = %(import_id)s order by line, column_name, reason
) to stdout (format csv, header)
