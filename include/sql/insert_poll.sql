-- The outcome of a device's minute; the first one stays.
insert into sos_ops.poll (minute, device_id, last_minute, began_at, ended_at, outcome, reason)
values (%(minute)s, %(device_id)s, %(minute)s, %(began_at)s, %(ended_at)s, %(outcome)s, %(reason)s)
on conflict (minute, device_id) do nothing
returning device_id;
