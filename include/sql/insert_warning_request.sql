-- A request with what became of it.
insert into sos_ops.warning_request (tag_id, requested_threshold, ts, first_asked_at, last_asked_at, asked, limits_version,
                                     state, rule, reason, decided_by, decided_at, applied_version)
values (%(tag_id)s, %(requested)s, %(ts)s, %(first_asked_at)s, %(last_asked_at)s, %(asked)s, %(limits_version)s,
        %(state)s, %(rule)s, %(reason)s, %(by)s, case when %(by)s::text is not null then sos_ops.now() end,
        %(applied_version)s);
