-- One writer per UTC day of minutes, taken in order; limits may not change while a minute is decided.
select pg_advisory_xact_lock(7306, d)
from generate_series(%(first_day)s::int, %(last_day)s::int) as d;
