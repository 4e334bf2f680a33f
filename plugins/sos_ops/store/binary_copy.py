"""NumPy arrays to and from PostgreSQL by binary COPY, without a Python object per value.

Format: PostgreSQL documentation, "COPY / Binary Format". A tuple is a 16-bit field count, then per field a
32-bit length (-1 for NULL) and the big-endian bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import numpy as np
from numpy.typing import NDArray

from sos_ops.store.connection import Connection

_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER = b"\xff\xff"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

INT2, INT4, TIMESTAMPTZ, FLOAT8, CHAR = ">i2", ">i4", ">i8", ">f8", "S1"
"""Column types by their binary layout; a timestamptz is microseconds since 2000-01-01 UTC (see `to_micros`)."""


def to_micros(moment: datetime) -> int:
    """A time as PostgreSQL counts it: microseconds since 2000-01-01 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    """The inverse of `to_micros`."""
    return _EPOCH + int(micros) * _MICROSECOND


@dataclass(frozen=True)
class Column:
    """One column to write.

    Attributes:
        name: its name in the table, for the reader of the code; the COPY statement lists the columns itself.
        type: one of the layouts above.
        values: its values; where `null` they are not looked at.
        null: where it is NULL, or None when it never is.
    """

    name: str
    type: str
    values: NDArray[Any]
    null: NDArray[np.bool_] | None = None


def write_rows(connection: Connection, statement: LiteralString, columns: Sequence[Column]) -> int:
    """Runs `COPY ... FROM STDIN (FORMAT BINARY)` with these columns, in the statement's column order.

    Rows with NULLs are shorter, so rows are sent grouped by which of their columns are NULL.

    Returns:
        The number of rows written.
    """
    rows = len(columns[0].values)
    if rows == 0:
        return 0
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        copy.write(_HEADER)
        for block in _blocks(columns, rows):
            copy.write(block)
        copy.write(_TRAILER)
    return rows


def _blocks(columns: Sequence[Column], rows: int) -> Iterator[bytes]:
    pattern = np.zeros(rows, dtype=np.int64)
    for position, column in enumerate(columns):
        if column.null is not None:
            pattern |= column.null.astype(np.int64) << position
    for which in np.unique(pattern):
        chosen = pattern == which
        everything = bool(chosen.all())
        yield _pack(columns, int(which), None if everything else chosen)


def _pack(columns: Sequence[Column], nulls: int, chosen: NDArray[np.bool_] | None) -> bytes:
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for position, column in enumerate(columns):
        layout.append((f"length_{position}", ">i4"))
        if not nulls >> position & 1:
            layout.append((f"value_{position}", column.type))
    size = len(columns[0].values) if chosen is None else int(chosen.sum())
    records = np.empty(size, dtype=layout)
    records["fields"] = len(columns)
    for position, column in enumerate(columns):
        if nulls >> position & 1:
            records[f"length_{position}"] = -1
        else:
            records[f"length_{position}"] = np.dtype(column.type).itemsize
            records[f"value_{position}"] = column.values if chosen is None else column.values[chosen]
    return records.tobytes()


def read_rows(
    connection: Connection,
    statement: LiteralString,
    parameters: Mapping[str, Any],
    columns: Sequence[tuple[str, str]],
) -> NDArray[Any]:
    """Runs `COPY (SELECT ...) TO STDOUT (FORMAT BINARY)` whose columns are all NOT NULL.

    Args:
        connection: an open connection.
        statement: the COPY statement, with `%(name)s` placeholders.
        parameters: their values.
        columns: name and layout of each column, in order.

    Returns:
        A structured array with these columns, native byte order not guaranteed.

    Raises:
        ValueError: when a row does not have the layout (a NULL, or another type).
    """
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for name, kind in columns:
        layout += [(f"{name}__length", ">i4"), (name, kind)]
    record = np.dtype(layout)
    with connection.cursor() as cursor, cursor.copy(statement, parameters) as copy:
        data = b"".join(bytes(chunk) for chunk in copy)
    body = data[len(_HEADER) : -len(_TRAILER)]
    if len(body) % record.itemsize:
        raise ValueError("a row of the COPY is NULL somewhere or of another type than declared")
    rows = np.frombuffer(body, dtype=record)
    for name, kind in columns:
        if rows.size and not (rows[f"{name}__length"] == np.dtype(kind).itemsize).all():
            raise ValueError(f"column {name} of the COPY is not of the declared type")
    return rows
