-- The lane that reads a gateway from %(at)s on; what is older than what is known changes nothing, unless what is known
-- lies in the future: the clock was set back since.
insert into sos_ops.gateway as g (host, port, slow, since) values (%(host)s, %(port)s, %(slow)s, %(at)s)
on conflict (host, port) do update set slow = excluded.slow, since = excluded.since
where (g.since < excluded.since or g.since > sos_ops.now()) and g.slow <> excluded.slow;
