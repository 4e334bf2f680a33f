-- Other databases of the server that a role may connect to.
select d.datname from pg_database as d
where d.datallowconn and d.datname <> current_database() and has_database_privilege(%s, d.oid, 'connect')
order by d.datname;
