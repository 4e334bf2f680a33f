-- The second value takes the place of the first, which moves aside; gives the number the first has there.
with removed as (
    delete from sos_ops.result_set_aside where result_set_aside_id = %(set_aside_id)s
), placed as (
    update sos_ops.result
    set value = %(value)s, warning_request = %(warning_request)s, received_at = %(received_at)s, state = 'A',
        marks = array['accepted_by_hand'], reason = %(reason)s, decided_at = sos_ops.now(), set_aside_id = %(set_aside_id)s
    where tag_id = %(tag_id)s and partner_id = %(partner_id)s and ts = %(ts)s
)
insert into sos_ops.result_set_aside (tag_id, partner_id, ts, value, warning_request, received_at, reason, counted_at)
values (%(tag_id)s, %(partner_id)s, %(ts)s, %(first_value)s, %(first_warning_request)s, %(first_received_at)s,
        %(first_reason)s, sos_ops.now())
returning result_set_aside_id;
