-- What a person decided about a set-aside result, for good.
insert into sos_ops.set_aside_decision (set_aside_id, decision, tag_id, partner_id, ts, value, warning_request,
                                        received_at, reason, why)
values (%(set_aside_id)s, %(decision)s, %(tag_id)s, %(partner_id)s, %(ts)s, %(value)s, %(warning_request)s,
        %(received_at)s, %(reason)s, %(why)s);
