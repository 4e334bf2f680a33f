-- Results of [%(first)s, %(until)s] that were set aside.
select count(*) from sos_ops.result_set_aside where ts between %(first)s and %(until)s;
