-- What a person decided about a request.
update sos_ops.warning_request
set state = %(state)s, reason = %(reason)s, decided_by = %(by)s, decided_at = sos_ops.now(),
    applied_version = %(version)s
where warning_request_id = %(request)s;
