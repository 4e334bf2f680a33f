"""Registers that devices do not answer for: found, checked and restored as polls tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sos_ops.modbus.poll import QuarantineChange, Quarantined, next_check
from sos_ops.modbus.protocol_map import ReadFunction
from sos_ops.store import sql
from sos_ops.store.connection import Connection


def quarantined_registers(connection: Connection) -> dict[int, tuple[Quarantined, ...]]:
    """What each device in use does not answer for now, by device id."""
    found: dict[int, tuple[Quarantined, ...]] = {}
    rows = connection.execute(sql.load("select_quarantined"))
    for device_id, function, start, count, points, reason, since, its_next_check in rows:
        entry = Quarantined(
            ReadFunction(function), start, count, tuple(points), reason, since, its_next_check
        )
        found[device_id] = (*found.get(device_id, ()), entry)
    return found


@dataclass(frozen=True)
class _State:
    quarantine_id: int
    checks: int
    checked_at: datetime
    restored_at: datetime | None


def record_changes(connection: Connection, device_id: int, changes: Sequence[QuarantineChange]) -> None:
    """Stores what a poll learnt. What is older than what is known changes nothing: twice is as good as once.

    The transaction must hold the lock of `lock_for_polls`.
    """
    for change in changes:
        where = {
            "device_id": device_id,
            "function": change.range.function.value,
            "start": change.range.start,
        }
        row = connection.execute(sql.load("select_quarantine_state"), where).fetchone()
        state = None if row is None else _State(*row)
        if state is not None and change.at <= (state.restored_at or state.checked_at):
            continue
        known = {
            **where,
            "count": change.range.count,
            "points": list(change.points),
            "reason": change.reason,
            "at": change.at,
        }
        _record(connection, change, known, state)


def _record(
    connection: Connection, change: QuarantineChange, known: Mapping[str, object], state: _State | None
) -> None:
    active = state if state is not None and state.restored_at is None else None
    if change.kind == "restored":
        if active is not None:
            connection.execute(
                sql.load("end_quarantine"), {"at": change.at, "quarantine_id": active.quarantine_id}
            )
    elif active is None:
        connection.execute(sql.load("insert_quarantined"), {**known, "next_check": next_check(change.at, 0)})
    else:
        checks = active.checks + 1
        again = {
            "checks": checks,
            "next_check": next_check(change.at, checks),
            "quarantine_id": active.quarantine_id,
        }
        connection.execute(sql.load("update_quarantine_check"), {**known, **again})
