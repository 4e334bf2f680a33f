-- The result that has the place of a TIMESTAMP, held until this transaction ends.
select value, warning_request, received_at from sos_ops.result
where tag_id = %(tag_id)s and partner_id = %(partner_id)s and ts = %(ts)s
for update;
