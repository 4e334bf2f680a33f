-- The decided minutes of a set in [%(since)s, %(until)s].
select s.minute, s.value, s.upper, s.band from sos_ops.sos as s
where s.set_id = %(set_id)s and s.minute between %(since)s and %(until)s
order by s.minute;
