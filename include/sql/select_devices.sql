-- Devices that are not retired, in name order.
select device_id, name, site, host, port, unit_id, protocol_map, created_at
from sos_ops.device where retired_at is null order by name;
