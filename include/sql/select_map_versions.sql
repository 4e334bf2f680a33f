-- Every version of every map, and how many devices in use are read with it: with the newest of their map's name.
select m.map_id, m.name, m.version, m.sha256, m.added_by, m.added_at,
       case when m.version = max(m.version) over (partition by m.name)
            then (select count(*) from sos_ops.device as d where d.protocol_map = m.name and d.retired_at is null)
            else 0 end
from sos_ops.protocol_map as m
order by m.name, m.version;
