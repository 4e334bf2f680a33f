-- Ends the sessions of a role in this database.
select pg_terminate_backend(a.pid) from pg_stat_activity as a
where a.usename = %(role)s and a.datname = current_database() and a.pid <> pg_backend_pid();
