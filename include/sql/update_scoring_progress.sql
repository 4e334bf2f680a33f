-- Progress only moves forward: a rerun never takes it back.
update sos_ops.scoring_progress
set closed_until = greatest(closed_until, %(closed_until)s), newest_decided = greatest(newest_decided, %(newest_decided)s);
