"""Imports: which files came in, how far, and their values, labels and refusals on the way in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, BinaryIO, cast

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
from numpy.typing import NDArray

from sos_ops.errors import SosOpsError, UnknownNameError
from sos_ops.imports.chunk import StoredChunk
from sos_ops.imports.labels import Reach, Span
from sos_ops.store import sql
from sos_ops.store.binary_copy import (
    CHAR,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    TIMESTAMPTZ,
    Column,
    from_micros,
    to_micros,
    write_rows,
)
from sos_ops.store.connection import Connection

IMPORT_LANES = 7312
"""Class of the advisory locks that the sessions of an import hold: one key an import and lane."""


LIVE = timedelta(days=2)
"""Results younger than this are validated by live runs, as any; older ones are history, validated with their day."""


@dataclass(frozen=True)
class TagOfPartner:
    """A tag in use."""

    tag_id: int
    site: str


@dataclass(frozen=True)
class StoredImport:
    """An import as it stands; `content_sha256` and `report` are None until all of the file was read."""

    import_id: int
    data_set: str
    content_sha256: str | None
    began_at: datetime
    finished_at: datetime | None
    report: dict[str, Any] | None


@dataclass(frozen=True)
class Subject:
    """Whose a label is: a tag's, a device's, or (both None) a whole site's."""

    site: str
    tag_id: int | None = None
    device_id: int | None = None


@dataclass(frozen=True)
class Stored:
    """What became of values: stored now, stood already, set aside, or not kept because the minute has one."""

    stored: int = 0
    known: int = 0
    set_aside: int = 0
    not_kept: int = 0


@dataclass(frozen=True)
class ReadingRows:
    """Readings on their way in; `values` or `suspects` is NaN, `qualities` counts into the list of qualities."""

    point_ids: NDArray[np.int32]
    micros: NDArray[np.int64]
    values: NDArray[np.float64]
    suspects: NDArray[np.float64]
    qualities: NDArray[np.int32]
    lines: NDArray[np.int64]


def partner_targets(connection: Connection, partner: str) -> tuple[int, dict[str, TagOfPartner]]:
    """The partner's id, and its tags in use by name.

    Raises:
        UnknownNameError: there is no such partner.
    """
    rows = connection.execute(sql.load("select_import_targets_of_partner"), {"partner": partner}).fetchall()
    if not rows:
        raise UnknownNameError(f"no partner {partner!r}: `sos-ops partner list` shows those there are")
    return int(rows[0][0]), {
        str(tag): TagOfPartner(int(i), str(site)) for _, tag, i, site in rows if tag is not None
    }


def imports_like(connection: Connection, key: Mapping[str, Any]) -> list[StoredImport]:
    """Imports that may be of the same file (by its size) under the same mapping, newest first."""
    return [StoredImport(*row) for row in connection.execute(sql.load("select_imports"), key)]


def begin_import(
    connection: Connection, key: Mapping[str, Any], *, data_set: str, file_name: str, mapping: str
) -> int:
    """Records an import that begins and returns its id."""
    parameters = {**key, "data_set": data_set, "file_name": file_name, "mapping": mapping}
    row = connection.execute(sql.load("insert_import"), parameters).fetchone()
    assert row is not None  # noqa: S101  # INSERT RETURNING of one row
    return int(row[0])


def take_lane(connection: Connection, import_id: int, lane: int) -> None:
    """Makes this session the only one that stores this lane of the import, until it ends.

    A session whose client was killed may be about to commit: it is waited for, so that what is read afterwards about
    the progress is all there is.

    Raises:
        SosOpsError: another process is importing this file.
    """
    connection.execute("set lock_timeout = '15s'")
    try:
        connection.execute("select pg_advisory_lock(%s, %s)", (IMPORT_LANES, import_id * 4 + lane))
    except psycopg.errors.LockNotAvailable as error:
        raise SosOpsError("another process is importing this file right now: let it finish") from error
    # A chunk may be lost with the machine, together with the record that it was stored: it is then stored again.
    connection.execute("set synchronous_commit = off")
    connection.execute("reset lock_timeout")
    connection.commit()


def stored_chunks(connection: Connection, import_id: int) -> list[StoredChunk]:
    """The chunks that some lane of the import has stored, in order."""
    rows = connection.execute(sql.load("select_import_chunks"), {"import_id": import_id})
    return [StoredChunk(row[0], row[1], row[2], row[3], row[4], row[5], frozenset(row[6])) for row in rows]


def record_chunk(
    connection: Connection,
    import_id: int,
    lane: int,
    chunk: Mapping[str, Any],
    stored: Stored,
    micros: NDArray[np.int64],
) -> None:
    """Records that a lane has stored its part of a chunk, whose values lie at these times."""
    span = {
        "first_at": from_micros(micros.min()) if len(micros) else None,
        "last_at": from_micros(micros.max()) if len(micros) else None,
    }
    connection.execute(
        sql.load("insert_import_chunk"),
        {"import_id": import_id, "lane": lane, **chunk, **stored.__dict__, **span},
    )


def prepare_staging(connection: Connection) -> None:
    """Makes this session's staging tables. Nothing else may be done in the transaction."""
    connection.execute(sql.load("create_staged_results"))
    connection.execute(sql.load("create_imported_readings"))


def add_new_results(
    connection: Connection,
    partner_id: int,
    tag_ids: NDArray[np.int32],
    micros: NDArray[np.int64],
    values: NDArray[np.float64],
    received_at: datetime,
) -> bool:
    """Adds results none of which may stand yet, and no two of which may be of one tag and time.

    This is several times as fast as looking every one of them up.

    Returns:
        False, and nothing is added, when one stands already.
    """
    rows = len(micros)
    columns = [
        Column("tag_id", INT4, tag_ids),
        Column("partner_id", INT2, np.full(rows, partner_id, np.int16)),
        Column("ts", TIMESTAMPTZ, micros),
        Column("value", FLOAT8, values),
        Column("received_at", TIMESTAMPTZ, np.full(rows, to_micros(received_at), np.int64)),
        Column("state", CHAR, np.where(micros > to_micros(received_at - LIVE), b"N", b"I")),
    ]
    try:
        with connection.transaction():
            write_rows(connection, sql.load("copy_imported_results_in"), columns)
    except psycopg.errors.UniqueViolation:
        return False
    return True


def merge_results(
    connection: Connection,
    partner_id: int,
    tag_ids: NDArray[np.int32],
    micros: NDArray[np.int64],
    values: NDArray[np.float64],
    lines: NDArray[np.int64],
    received_at: datetime,
) -> tuple[Stored, list[tuple[int, str]]]:
    """Adds results by the rules of the partners' door: the first stays, an equal one is nothing new.

    Returns:
        What became of them, and line and value of those set aside.
    """
    columns = [
        Column("tag_id", INT4, tag_ids),
        Column("ts", TIMESTAMPTZ, micros),
        Column("value", FLOAT8, values),
        Column("line", INT8, lines),
    ]
    offered = write_rows(connection, sql.load("copy_staged_results_in"), columns)
    asked = {"partner_id": partner_id, "received_at": received_at, "live_since": received_at - LIVE}
    row = connection.execute(sql.load("merge_staged_results"), asked).fetchone()
    assert row is not None  # noqa: S101  # a count is one row
    aside = connection.execute(sql.load("set_staged_results_aside"), asked).fetchall()
    new = int(row[0])
    return Stored(new, offered - new - len(aside), len(aside)), [
        (int(line), str(value)) for line, value in aside
    ]


def merge_readings(
    connection: Connection, device_id: int, rows: ReadingRows, data_set: str, qualities: Sequence[str]
) -> tuple[Stored, dict[str, list[tuple[int, str]]]]:
    """Adds readings to minutes without a poll outcome, which then have one, and to minutes that imports made.

    Returns:
        What became of them, and line and value of those refused: 'O' another value of that time stands, 'P' the
        minute has an outcome of its own.
    """
    minute = 60_000_000
    columns = [
        Column("minute", TIMESTAMPTZ, rows.micros // minute * minute),
        Column("point_id", INT4, rows.point_ids),
        Column("read_at", TIMESTAMPTZ, rows.micros),
        Column("value", FLOAT8, rows.values, np.isnan(rows.values)),
        Column("suspect_value", FLOAT8, rows.suspects, np.isnan(rows.suspects)),
        Column("quality", INT4, rows.qualities),
        Column("line", INT8, rows.lines),
    ]
    offered = write_rows(connection, sql.load("copy_imported_readings_in"), columns)
    asked = {"device_id": device_id, "reason": f"imported: {data_set}", "qualities": list(qualities)}
    connection.execute(sql.load("merge_imported_polls"), asked)
    row = connection.execute(sql.load("merge_imported_readings"), asked).fetchone()
    assert row is not None  # noqa: S101  # a count is one row
    refused: dict[str, list[tuple[int, str]]] = {"M": [], "O": [], "P": []}
    for verdict, line, said in connection.execute(sql.load("judge_imported_readings"), asked):
        refused[verdict].append((int(line), str(said)))
    not_kept, new = len(refused.pop("M")), int(row[0])
    others = sum(len(rest) for rest in refused.values())
    return Stored(new, offered - new - not_kept - others, 0, not_kept), refused


def ensure_days(connection: Connection, micros: NDArray[np.int64], *, rehearsal: bool) -> None:
    """Makes the partitions of the days these times lie in.

    Each in a transaction of its own, because a year's at once would need more locks than a server has; in a rehearsal
    in the one that is rolled back.
    """
    for day in np.unique(micros // 86_400_000_000):
        date = from_micros(int(day) * 86_400_000_000).date()
        connection.execute("select sos_ops.ensure_days(%s, %s)", (date, date))
        if not rehearsal:
            connection.commit()


def point_ids(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """The ids of these points; new ones get one."""
    connection.execute(sql.load("insert_points"), {"names": sorted(names)})
    known = {str(name): int(point_id) for name, point_id in connection.execute(sql.load("select_points"))}
    return {name: known[name] for name in names}


def label_reach(connection: Connection, import_id: int) -> dict[Subject, Reach]:
    """How far the labels of an import reach that were stored before."""
    rows = connection.execute(sql.load("select_label_reach"), {"import_id": import_id})
    return {
        Subject(site, tag_id, device_id): Reach(to_micros(first), to_micros(last), label_id, label)
        for site, tag_id, device_id, first, last, label_id, label in rows
    }


def store_labels(
    connection: Connection,
    import_id: int,
    subjects: Sequence[Subject],
    spans: Sequence[Span],
    reached: Mapping[int, Reach],
) -> dict[int, Reach]:
    """Stores spans of labels; one that goes on where the newest of its subject ends makes that longer.

    Args:
        connection: an open transaction.
        import_id: whose they are.
        subjects: by the spans' numbers.
        spans: by subject and time.
        reached: how far each subject's labels reach.

    Returns:
        How far they reach now, to be believed once the transaction is committed.
    """
    now = dict(reached)
    new: list[Span] = []
    for span in spans:
        reach = now.get(span.subject)
        goes_on = reach is not None and reach.newest_label == span.label and reach.newest_id >= 0
        if goes_on and reach is not None and span.first >= reach.last:
            asked = {"to_at": from_micros(span.last), "row_count": span.rows, "label_id": reach.newest_id}
            connection.execute(sql.load("extend_label"), asked)
            now[span.subject] = Reach(reach.first, span.last, reach.newest_id, span.label)
            continue
        new.append(span)
        first = span.first if reach is None else min(reach.first, span.first)
        newest = reach is None or span.last >= reach.last
        # -1: to be looked up when all are stored.
        now[span.subject] = (
            Reach(first, span.last, -1, span.label)
            if newest or reach is None
            else Reach(first, reach.last, reach.newest_id, reach.newest_label)
        )
    if not new:
        return now
    parameters = {
        "import_id": import_id,
        "sites": [subjects[s.subject].site for s in new],
        "tag_ids": [subjects[s.subject].tag_id for s in new],
        "device_ids": [subjects[s.subject].device_id for s in new],
        "from_ats": [from_micros(s.first) for s in new],
        "to_ats": [from_micros(s.last) for s in new],
        "anomalous": [s.anomalous for s in new],
        "labels": [_storable(s.label) for s in new],
        "row_counts": [s.rows for s in new],
    }
    ids = [int(row[0]) for row in connection.execute(sql.load("insert_labels"), parameters)]
    for span, label_id in zip(new, ids, strict=True):
        reach = now[span.subject]
        if reach.newest_id < 0 and reach.last == span.last and reach.newest_label == span.label:
            now[span.subject] = Reach(reach.first, reach.last, label_id, reach.newest_label)
    return now


def _storable(text: str) -> str:
    return text.replace("\0", "�")


def store_refused(
    connection: Connection,
    import_id: int,
    lines: NDArray[np.int64],
    column: str,
    reason: str,
    texts: pa.Array,
) -> None:
    """Keeps refused rows of one column and reason until the import is finished."""
    rows = len(lines)
    texts = pc.replace_substring(pc.cast(texts, pa.string()), "\0", "�")
    table = pa.table(
        {
            "import_id": pa.repeat(import_id, rows),
            "line": pa.array(lines),
            "column_name": pa.repeat(_storable(column), rows),
            "reason": pa.repeat(reason, rows),
            "content": texts,
        }
    )
    sink = pa.BufferOutputStream()
    pacsv.write_csv(table, sink, pacsv.WriteOptions(include_header=False, quoting_style="all_valid"))
    with connection.cursor() as cursor, cursor.copy(sql.load("copy_refused_in")) as copy:
        copy.write(sink.getvalue().to_pybytes())


def refused_by_reason(connection: Connection, import_id: int) -> list[tuple[str, int, list[int], str]]:
    """Reason, number, first few lines and first text of what was refused, the most frequent first."""
    rows = connection.execute(sql.load("count_refused"), {"import_id": import_id})
    return [(str(reason), int(count), list(lines), str(text)) for reason, count, lines, text in rows]


def write_refused(connection: Connection, import_id: int, file: BinaryIO) -> None:
    """Writes every refused row as CSV, in the order of lines."""
    with (
        connection.cursor() as cursor,
        cursor.copy(sql.load("copy_refused_out"), {"import_id": import_id}) as copy,
    ):
        for block in copy:
            file.write(block)


@dataclass(frozen=True)
class Sums:
    """Lines read, what became of their values, cells without a value, the earliest and latest time."""

    lines: int
    values: Stored
    missing: int
    first_at: datetime | None
    last_at: datetime | None


def sums(connection: Connection, import_id: int) -> Sums:
    """What all chunks of an import came to."""
    row = connection.execute(sql.load("sum_import_chunks"), {"import_id": import_id}).fetchone()
    assert row is not None  # noqa: S101  # sums are one row
    lines, stored, known, set_aside, not_kept, missing = map(int, row[:6])
    return Sums(lines, Stored(stored, known, set_aside, not_kept), missing, row[6], row[7])


def label_sums(connection: Connection, import_id: int) -> tuple[int, int, int]:
    """Spans of labels, rows labelled normal, rows labelled anomalous."""
    row = connection.execute(sql.load("sum_import_labels"), {"import_id": import_id}).fetchone()
    return cast(tuple[int, int, int], tuple(map(int, row or (0, 0, 0))))


def finish_import(
    connection: Connection, import_id: int, content_sha256: str, report: Mapping[str, Any]
) -> None:
    """Records that all of the file was read. Labels of an earlier import of the same data are replaced."""
    connection.execute(
        sql.load("finish_import"),
        {
            "import_id": import_id,
            "content_sha256": content_sha256,
            "report": json.dumps(report, ensure_ascii=False),
        },
    )
