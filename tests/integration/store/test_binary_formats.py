"""PostgreSQL itself reads what we send in its binary formats, and we read what it sends."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sos_ops.store.binary_copy import (
    CHAR,
    FLOAT8,
    INT2,
    INT4,
    TIMESTAMPTZ,
    Column,
    from_micros,
    read_arrays,
    write_rows,
)
from sos_ops.store.connection import Connection
from tests.support.database import Database
from tests.support.plant import at

TYPES = (INT2, INT4, TIMESTAMPTZ, FLOAT8, CHAR)


def table_of_every_type(connection: Connection) -> None:
    connection.execute(
        'create temporary table t (small int2, whole int4, moment timestamptz, number float8, code "char")'
    )


def test_rows_with_and_without_nulls_come_out_as_they_were_sent(database: Database) -> None:
    rng = np.random.default_rng(5)
    size = 400
    micros = rng.integers(-(10**15), 10**15, size)
    nulls = rng.random((5, size)) < 0.3
    columns = [
        Column("small", INT2, np.arange(size, dtype=np.int16)),
        Column("whole", INT4, rng.integers(-(2**31), 2**31, size), nulls[1]),
        Column("moment", TIMESTAMPTZ, micros, nulls[2]),
        Column("number", FLOAT8, rng.normal(size=size) * 10.0 ** rng.integers(-300, 300, size), nulls[3]),
        Column("code", CHAR, np.where(rng.random(size) < 0.5, b"S", b"W"), nulls[4]),
    ]
    with database.connect() as connection:
        table_of_every_type(connection)
        statement = "copy t (small, whole, moment, number, code) from stdin (format binary)"
        assert write_rows(connection, statement, columns) == size
        found = connection.execute("select * from t order by small").fetchall()

    def sent(line: int) -> tuple[Any, ...]:
        small, whole, moment, number, code = (
            None if column.null is not None and column.null[line] else column.values[line]
            for column in columns
        )
        return (
            small,
            whole,
            None if moment is None else from_micros(int(moment)),
            number,
            None if code is None else bytes(code),
        )

    def received(row: tuple[Any, ...]) -> tuple[Any, ...]:
        code = row[4].encode() if isinstance(row[4], str) else row[4]
        return (*row[:4], code)

    assert [received(row) for row in found] == [sent(line) for line in range(size)]


def test_arrays_of_a_query_come_out_in_native_order(database: Database) -> None:
    with database.connect() as connection:
        cursor = connection.execute(
            "select array_agg(n::int2 order by n), array_agg(n::int4 order by n), "
            "array_agg('2026-03-01 00:00+00'::timestamptz + n * interval '1 minute' order by n), "
            'array_agg(n / 3.0::float8 order by n), array_agg(chr((64 + n)::int)::"char" order by n) '
            "from generate_series(1, 5) as n",
            binary=True,
        )
        ((small, whole, moments, numbers, codes),) = read_arrays(cursor, *TYPES)
    assert small.tolist() == whole.tolist() == [1, 2, 3, 4, 5]
    assert small.dtype.isnative
    assert [from_micros(m) for m in moments] == [at(n) for n in range(1, 6)]
    assert numbers.tolist() == [n / 3.0 for n in range(1, 6)]
    assert codes.tolist() == [b"A", b"B", b"C", b"D", b"E"]


def test_no_rows_are_empty_arrays(database: Database) -> None:
    with database.connect() as connection:
        cursor = connection.execute(
            "select array_agg(n::int4), '{}'::int4[] from generate_series(1, 0) as n", binary=True
        )
        ((none, empty),) = read_arrays(cursor, INT4, INT4)
    assert none.size == empty.size == 0


@pytest.mark.parametrize("array", ["array[1, null, 3]::int4[]", "array[1, 2, 3]::int8[]"])
def test_a_null_or_another_type_is_an_error_and_never_a_number(database: Database, array: str) -> None:
    with database.connect() as connection:
        cursor = connection.execute(f"select {array}".encode(), binary=True)
        with pytest.raises(ValueError, match="array of the query"):
            read_arrays(cursor, INT4)
