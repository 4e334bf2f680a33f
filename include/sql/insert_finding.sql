-- A finding of a run; its minute is the first one that a result of %(ts)s counts for.
insert into sos_ops.finding (run_id, minute, partner_id, tag_id, kind, count, sentence)
values (%(run_id)s, date_trunc('minute', %(ts)s::timestamptz + interval '1 minute' - interval '1 microsecond', 'UTC'),
        %(partner_id)s, (select tag_id from sos_ops.tag where tag_id = %(tag_id)s), %(kind)s, %(count)s, %(sentence)s);
