-- How many requests wait for a person; those of retired tags wait for nobody.
select count(*) from sos_ops.warning_request as w join sos_ops.tag as t using (tag_id)
where w.state = 'proposed' and t.retired_at is null;
