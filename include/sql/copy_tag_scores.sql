-- Stored tag scores of the minutes %(first)s .. %(last)s; -1 and the epoch stand for NULL.
copy (
    select s.minute, s.tag_id, coalesce(s.value, 0), coalesce(s.result_ts, 'epoch'), coalesce(s.score, -1),
           coalesce(s.missing, '-'), s.decided_at
    from sos_ops.tag_score as s
    where s.minute between %(first)s and %(last)s
) to stdout (format binary)
