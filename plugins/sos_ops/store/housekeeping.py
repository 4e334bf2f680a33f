"""Where late results lie, and until when they were looked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sos_ops.store import sql
from sos_ops.store.connection import Connection

LONGEST_TRANSACTION = timedelta(hours=1)
"""A row is stamped when it arrives and seen when its transaction commits: we look back this much further."""

_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)


def late_spans(connection: Connection) -> list[tuple[datetime, datetime]]:
    """Spans of time whose minutes may change by results that came late, since the last look; not overlapping."""
    row = connection.execute(sql.load("select_housekeeping")).fetchone()
    until = row[0] if row else None
    since = _BEGINNING if until is None else until - LONGEST_TRANSACTION
    spans: list[tuple[datetime, datetime]] = []
    for hour, max_age_s in connection.execute(sql.load("select_late_hours"), {"since": since}):
        last = hour + timedelta(hours=1, seconds=max_age_s)
        if spans and hour <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(spans[-1][1], last))
        else:
            spans.append((hour, last))
    return spans


def looked_until(connection: Connection, until: datetime) -> None:
    """Records that late results were looked for until this time."""
    connection.execute(sql.load("update_housekeeping"), {"until": until})
