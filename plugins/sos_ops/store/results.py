"""Results on their way through the first door: a partner's own relation in schema `keti`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from psycopg import sql as composed

from sos_ops.safety.score import Limits
from sos_ops.store import sql
from sos_ops.store.connection import Connection


def write_results(connection: Connection, partner: str, rows: Iterable[tuple[datetime, str, float]]) -> int:
    """Writes results of a partner through its door, as the partner itself would.

    A second, different value for a tag and TIMESTAMP is set aside by the door; an equal one is nothing new.

    Args:
        partner: the name of an existing partner.
        rows: TIMESTAMP (aware), TAG, VALUE (finite).

    Returns:
        The number of rows offered.
    """
    statement = composed.SQL('copy {} ("TIMESTAMP", "TAG", "VALUE") from stdin').format(
        composed.Identifier("keti", partner)
    )
    count = 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(row)
            count += 1
    return count


def limits_of_partner(connection: Connection, partner: str) -> dict[str, Limits] | None:
    """The limits now in force of a partner's tags, by tag name; None when there is no such partner."""
    rows = connection.execute(sql.load("select_partner_limits"), {"partner": partner}).fetchall()
    if not rows:
        return None
    return {str(row[0]): Limits(*row[1:]) for row in rows if row[0] is not None}


def count_set_aside(connection: Connection, first: datetime, until: datetime) -> int:
    """How many results of TIMESTAMPs in [first, until] were set aside."""
    row = connection.execute(sql.load("count_set_aside"), {"first": first, "until": until}).fetchone()
    return int(row[0]) if row else 0
