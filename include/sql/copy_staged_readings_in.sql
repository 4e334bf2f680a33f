copy pg_temp.staged_reading (minute, device_id, point_id, read_at, value, suspect_value, quality, text_value, map_id,
                             only_over_standing)
from stdin
