-- Readings of these minutes came or changed: engines that have analysed them have to look again.
insert into sos_ops.read_minute as m (minute, changes, changed_at)
select x.minute, 1, sos_ops.now() from unnest(%(minutes)s::timestamptz[]) as x (minute) order by x.minute
on conflict (minute) do update set changes = m.changes + 1, changed_at = excluded.changed_at;
