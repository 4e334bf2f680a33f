"""What must hold after every test, whatever was killed: no minute twice, none without a value or a reason."""

from __future__ import annotations

from sos_ops.store.connection import Connection

HOLES = """
select s.set_id, m as minute
from sos_ops.tag_set as s
cross join sos_ops.scoring_progress as p
cross join lateral generate_series(
    date_trunc('minute', s.created_at) + interval '1 minute', p.closed_until, interval '1 minute') as m
left join sos_ops.sos as x on x.set_id = s.set_id and x.minute = m
where x.minute is null and (s.retired_at is null or m < s.retired_at)
"""

UNREASONED = """
select x.set_id, x.minute from sos_ops.sos as x
join sos_ops.tag_set as s using (set_id)
where x.value is null and x.tags - x.known is distinct from (
    select count(*) from sos_ops.tag_score as t
    where t.minute = x.minute and t.tag_id = any (s.tag_ids) and t.missing is not null)
"""

UNPOLLED = """
select d.name, m as minute
from sos_ops.device as d
cross join lateral generate_series(
    date_trunc('minute', d.created_at) + interval '1 minute',
    (select max(last_minute) from sos_ops.poll as p where p.device_id = d.device_id), interval '1 minute') as m
where (select count(*) from sos_ops.poll as p
       where p.device_id = d.device_id and m between p.minute and p.last_minute) <> 1
"""

LOOKS_SAFE = "select set_id, minute from sos_ops.sos where (value is null or known < tags) and band = 'S'"


def broken_invariants(connection: Connection) -> dict[str, list[tuple[object, ...]]]:
    """The invariants that do not hold, with the rows that break them; empty when all is well."""
    checks = {
        "a minute of a set has no row": HOLES,
        "an incomplete minute lacks a reason": UNREASONED,
        "a minute of a device has not exactly one outcome": UNPOLLED,
        "an incomplete minute looks safe": LOOKS_SAFE,
    }
    found = {name: connection.execute(statement).fetchall() for name, statement in checks.items()}  # type: ignore[arg-type]
    return {name: rows for name, rows in found.items() if rows}
