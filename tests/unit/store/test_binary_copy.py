"""What is sent to PostgreSQL's COPY, byte by byte, read back by the format's own description."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sos_ops.store.binary_copy import (
    CHAR,
    FLOAT8,
    INT2,
    INT4,
    TIMESTAMPTZ,
    Column,
    from_micros,
    to_micros,
    write_rows,
)
from sos_ops.store.connection import Connection

FIELDS = {INT2: ">h", INT4: ">i", TIMESTAMPTZ: ">q", FLOAT8: ">d", CHAR: "1s"}


class Recorder:
    """Stands for a connection and takes down what a COPY sends."""

    def __init__(self) -> None:
        self.sent = b""
        self.copies = 0

    @contextmanager
    def cursor(self) -> Iterator[Recorder]:
        yield self

    @contextmanager
    def copy(self, _statement: str) -> Iterator[Recorder]:
        self.copies += 1
        yield self

    def write(self, data: bytes) -> None:
        self.sent += data


def sent_rows(data: bytes, types: list[str]) -> list[tuple[Any, ...]]:
    """The rows of a binary COPY, by the format's description: header, tuples of fields, trailer."""
    assert data[:19] == b"PGCOPY\n\xff\r\n\0" + bytes(8)
    rows: list[tuple[Any, ...]] = []
    at = 19
    while True:
        (count,) = struct.unpack_from(">h", data, at)
        at += 2
        if count == -1:
            assert at == len(data)
            return rows
        assert count == len(types)
        row: list[Any] = []
        for kind in types:
            (length,) = struct.unpack_from(">i", data, at)
            at += 4
            if length == -1:
                row.append(None)
                continue
            assert length == struct.calcsize(FIELDS[kind])
            row.append(struct.unpack_from(FIELDS[kind], data, at)[0])
            at += length
        rows.append(tuple(row))


def written(columns: list[Column]) -> list[tuple[Any, ...]]:
    recorder = Recorder()
    count = write_rows(cast(Connection, recorder), "copy t from stdin (format binary)", columns)
    rows = sent_rows(recorder.sent, [column.type for column in columns])
    assert count == len(rows)
    return rows


rows_of_all_types = st.lists(
    st.tuples(
        st.integers(-(2**15), 2**15 - 1),
        st.integers(-(2**31), 2**31 - 1),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.floats(allow_nan=False),
        st.none() | st.sampled_from([b"S", b"W"]),
    ),
    min_size=1,
    max_size=30,
)


@given(rows_of_all_types)
def test_every_row_arrives_whatever_is_null_in_it(rows: list[tuple[Any, ...]]) -> None:
    types = [INT2, INT4, TIMESTAMPTZ, FLOAT8, CHAR]
    columns = []
    for position, kind in enumerate(types):
        values = [row[position] for row in rows]
        filled = np.array([0 if v is None else v for v in values]) if kind != CHAR else None
        if filled is None:
            filled = np.array([b"?" if v is None else v for v in values])
        columns.append(Column(f"c{position}", kind, filled, np.array([v is None for v in values])))

    def order(row: tuple[Any, ...]) -> str:
        return repr(row)

    assert sorted(written(columns), key=order) == sorted(rows, key=order)


def test_rows_without_nulls_keep_their_order() -> None:
    values = np.array([3, 1, 2])
    assert written([Column("n", INT4, values)]) == [(3,), (1,), (2,)]


def test_a_score_keeps_its_bits() -> None:
    values = np.array([0.1 + 0.2, 5e-324, -0.0, 1 / 3])
    assert [struct.pack(">d", row[0]) for row in written([Column("f", FLOAT8, values)])] == [
        struct.pack(">d", value) for value in values
    ]


def test_no_rows_are_no_copy() -> None:
    recorder = Recorder()
    assert write_rows(cast(Connection, recorder), "copy t from stdin", [Column("n", INT4, np.empty(0))]) == 0
    assert recorder.copies == 0


@given(st.integers(-(10**16), 10**16))
def test_times_are_exact_to_the_microsecond_and_back(micros: int) -> None:
    assert to_micros(from_micros(micros)) == micros


def test_times_count_from_the_databases_epoch() -> None:
    assert to_micros(datetime(2000, 1, 1, tzinfo=UTC)) == 0
    assert from_micros(-1) == datetime(2000, 1, 1, tzinfo=UTC) - timedelta(microseconds=1)


@pytest.mark.parametrize("zone", ["Asia/Seoul", "UTC"])
def test_a_time_of_another_zone_is_the_same_moment(zone: str) -> None:
    moment = datetime(2026, 3, 1, 9, 30, tzinfo=ZoneInfo(zone))
    assert from_micros(to_micros(moment)) == moment
