-- A set-aside result counts from now on, by a person's word; its number stays with it.
update sos_ops.result
set state = 'A', marks = array['accepted_by_hand'], decided_at = sos_ops.now()
where tag_id = %(tag_id)s and partner_id = %(partner_id)s and ts = %(ts)s and state = 'S';
