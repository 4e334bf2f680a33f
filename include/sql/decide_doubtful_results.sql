-- New results of %(partner_id)s that something was found about: accepted with marks (joined by commas), or set aside.
update sos_ops.result as r
set state = case when d.accepted then 'A' else 'S' end::"char",
    marks = string_to_array(nullif(d.marks, ''), ','),
    reason = d.reason,
    set_aside_id = case when not d.accepted
                        then nextval(pg_get_serial_sequence('sos_ops.result_set_aside', 'result_set_aside_id')) end,
    decided_at = %(decided_at)s
from unnest(%(tag_ids)s::int[], %(micros)s::bigint[], %(accepted)s::bool[], %(marks)s::text[], %(reasons)s::text[])
     as d (tag_id, micros, accepted, marks, reason)
where r.partner_id = %(partner_id)s and r.tag_id = d.tag_id and r.state in ('N', 'I')
  and r.ts = timestamptz '2000-01-01 00:00+00' + d.micros * interval '1 microsecond';
