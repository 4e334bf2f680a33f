-- A login role, and what it has that a partner's must not; '' when it is only a login.
select concat_ws(', ',
    case when r.rolsuper then 'superuser' end,
    case when r.rolcreaterole then 'createrole' end,
    case when r.rolcreatedb then 'createdb' end,
    case when r.rolreplication then 'replication' end,
    case when r.rolbypassrls then 'bypassrls' end,
    (select 'member of ' || string_agg(g.rolname, ', ' order by g.rolname)
     from pg_auth_members as m join pg_roles as g on g.oid = m.roleid where m.member = r.oid))
from pg_roles as r where r.rolname = %(role)s;
