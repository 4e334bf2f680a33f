-- A version of a map; nothing when that version stands already.
insert into sos_ops.protocol_map (name, version, content, sha256, points)
values (%(name)s, %(version)s, %(content)s, %(sha256)s, %(points)s)
on conflict (name, version) do nothing
returning map_id;
