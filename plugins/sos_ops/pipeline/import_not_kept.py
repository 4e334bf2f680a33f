"""Readings that an import does not keep, because their minute has one: how many of each point, and between what."""

from __future__ import annotations

from sos_ops.imports.report import NotKept
from sos_ops.store import sql
from sos_ops.store.connection import Connection

_NOTE = "reading not kept"
"""Marks the notes among the refused rows of an unfinished import, where they wait for its report."""


def note_not_kept(connection: Connection, import_id: int, device_id: int) -> None:
    """Notes which of the staged readings were not kept, once the others are stored; the caller commits both at once."""
    asked = {"import_id": import_id, "device_id": device_id, "note": _NOTE}
    connection.execute(sql.load("note_readings_not_kept"), asked)


def take_not_kept(connection: Connection, import_id: int) -> tuple[NotKept, ...]:
    """What was noted of an import, by point. The notes are gone on commit."""
    asked = {"import_id": import_id, "note": _NOTE}
    rows = connection.execute(sql.load("take_readings_not_kept"), asked)
    return tuple(NotKept(str(point), int(count), low, high) for point, count, low, high in rows)
