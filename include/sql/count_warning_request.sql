-- Rows that ask for what was judged already are counted on the newest request of their tag.
update sos_ops.warning_request
set asked = asked + %(asked)s, last_asked_at = greatest(last_asked_at, %(last_asked_at)s)
where warning_request_id = (
    select w.warning_request_id from sos_ops.warning_request as w
    where w.tag_id = %(tag_id)s and w.ts <= sos_ops.now() + interval '60 seconds'
    order by w.ts desc, w.warning_request_id desc limit 1);
