-- The devices of a site that were there at the minute, by name.
select d.device_id, d.name
from sos_ops.device as d
where d.site = %(site)s and (d.retired_at is null or d.retired_at > %(minute)s)
order by d.name;
