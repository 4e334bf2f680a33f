"""NumPy arrays to and from PostgreSQL in its binary formats, without a Python object per value.

Into a table by COPY (PostgreSQL documentation, "COPY / Binary Format"): a tuple is a 16-bit field count, then per
field a 32-bit length (-1 for NULL) and the big-endian bytes. Out of a query as arrays, whose elements look the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString

import numpy as np
import psycopg
from numpy.typing import NDArray

from sos_ops.store.connection import Connection

_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_TRAILER = b"\xff\xff"
_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

BOOL, INT2, INT4, INT8, TIMESTAMPTZ, FLOAT8, CHAR = "?", ">i2", ">i4", ">i8", ">i8", ">f8", "S1"
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
    for which in np.flatnonzero(np.bincount(pattern)):  # np.unique would import numpy.ma in every task: 40 ms
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


def read_arrays(cursor: psycopg.Cursor[tuple[Any, ...]], *types: str) -> list[tuple[NDArray[Any], ...]]:
    """The rows of a query of `array_agg` columns: far cheaper than a row per value, on both ends.

    Args:
        cursor: of a statement executed with `binary=True`.
        types: the layout of each column's elements, in order.

    Returns:
        Per row its columns, as arrays of native byte order and as many dimensions as SQL's have; no values at all
        (a NULL, as `array_agg` of no rows is) are an empty array.

    Raises:
        ValueError: when a column holds a NULL or elements of another layout.
    """
    result = cursor.pgresult
    assert result is not None  # noqa: S101  # an executed statement has one
    return [
        tuple(_parse_array(result.get_value(row, column), kind) for column, kind in enumerate(types))
        for row in range(result.ntuples)
    ]


def _parse_array(data: bytes | None, kind: str) -> NDArray[Any]:
    # Dimensions, whether there are NULLs and the elements' type; per dimension its size and lower bound; elements.
    element = np.dtype(kind)
    native = element.newbyteorder("=")
    dimensions = 0 if data is None else int.from_bytes(data[:4])
    if data is None or dimensions == 0:
        return np.empty(0, dtype=native)
    sizes = np.frombuffer(data, dtype=">i4", count=2 * dimensions, offset=12)[::2]
    record = np.dtype([("length", ">i4"), ("value", element)])
    body = memoryview(data)[12 + 8 * dimensions :]
    if len(body) != record.itemsize * int(sizes.prod()):
        raise ValueError("an array of the query holds a NULL or elements of another type than declared")
    records = np.frombuffer(body, dtype=record)
    if not (records["length"] == element.itemsize).all():
        raise ValueError("an array of the query holds elements of another type than declared")
    return records["value"].astype(native).reshape(sizes)
