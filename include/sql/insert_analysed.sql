-- %(engine)s has analysed these minutes, as they were after so many changes.
insert into sos_ops.analysed as a (engine, minute, changes)
select %(engine)s, m.minute, m.changes
from unnest(%(minutes)s::timestamptz[], %(changes)s::int[]) as m (minute, changes)
on conflict (engine, minute) do update set changes = excluded.changes where a.changes < excluded.changes;
