-- The newest version of each map of these names (NULL: of all), by name.
select distinct on (name) map_id, name, version, content, sha256, added_by, added_at
from sos_ops.protocol_map
where %(names)s::text[] is null or name = any (%(names)s)
order by name, version desc;
