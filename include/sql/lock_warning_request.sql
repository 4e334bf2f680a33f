-- A request, held until the transaction ends.
select w.tag_id, t.tag::text, t.retired_at is not null, w.requested_threshold, w.limits_version, w.state, w.decided_by
from sos_ops.warning_request as w join sos_ops.tag as t using (tag_id)
where w.warning_request_id = %(request)s for update of w;
