-- Ends partners' sessions in this database whose transaction is too old. Real time: a session's age is the server's.
select pg_terminate_backend(a.pid) from pg_stat_activity as a
join sos_ops.partner as p on a.usename = %(prefix)s || p.name
where a.datname = current_database() and a.pid <> pg_backend_pid()
  and a.xact_start < clock_timestamp() - make_interval(secs => %(longest_s)s);
