-- How many SoS rows each minute of %(first)s .. %(last)s has.
select s.minute, count(*) from sos_ops.sos as s
where s.minute between %(first)s and %(last)s group by s.minute;
