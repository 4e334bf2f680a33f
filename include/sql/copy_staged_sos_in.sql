copy pg_temp.staged_sos (minute, set_id, value, upper, known, tags, band, limiting_tag_id, decided_at, active)
from stdin (format binary)
