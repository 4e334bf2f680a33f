copy pg_temp.staged_tag_score (minute, tag_id, value, result_ts, score, missing, decided_at, active)
from stdin (format binary)
