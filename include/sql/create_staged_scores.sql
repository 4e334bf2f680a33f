-- Where a decision waits to be compared with the rows that stand; `active` rows may be new, others only replace.
create temporary table staged_tag_score (like sos_ops.tag_score, active "char" not null) on commit drop;
create temporary table staged_sos (like sos_ops.sos, active "char" not null) on commit drop;
