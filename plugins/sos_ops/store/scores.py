"""Tag scores and SoS rows, written by COPY: new minutes at once, decided ones only where something changed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import psycopg

from sos_ops.safety.as_of import Micros
from sos_ops.safety.timeline import Bools, Ints, SetScores, TagScores
from sos_ops.store import sql
from sos_ops.store.binary_copy import (
    BOOL,
    CHAR,
    FLOAT8,
    INT2,
    INT4,
    INT8,
    TIMESTAMPTZ,
    Column,
    from_micros,
    read_arrays,
    to_micros,
    write_rows,
)
from sos_ops.store.connection import Connection

BAND_CODES = np.array([b"S", b"W", b"C", b"U"])
"""The stored code of each band, in the order of `sos_ops.safety.bands.BAND_ORDER`."""

MISSING_CODES = np.array([b"N", b"S", b"A", b"V"])
"""The stored code of each reason, in the order of `sos_ops.safety.as_of.Missing`."""

_EPOCH_DAY = date(2000, 1, 1)


@dataclass(frozen=True)
class Written:
    """What a decision wrote: rows of SoS in all, and how many of them replaced another decision."""

    rows: int
    revised: int


@dataclass(frozen=True)
class Progress:
    """How far the minutes are decided.

    Attributes:
        closed_until: every minute up to this one is closed; None before the first run.
        newest_decided: the newest minute with a decision.
        began: when the first tag or set was made; None on an empty platform, and once minutes are closed.
    """

    closed_until: datetime | None
    newest_decided: datetime | None
    began: datetime | None


def read_progress(connection: Connection) -> Progress:
    """How far the minutes are decided."""
    row = connection.execute(sql.load("select_scoring_progress")).fetchone()
    assert row is not None  # noqa: S101  # the migration wrote the only row
    return Progress(*row)


def advance_progress(
    connection: Connection, *, closed_until: datetime | None, newest_decided: datetime | None
) -> None:
    """Records what was decided; never moves back."""
    parameters = {"closed_until": closed_until, "newest_decided": newest_decided}
    connection.execute(sql.load("update_scoring_progress"), parameters)


def lock_for_scoring(connection: Connection, first: datetime, last: datetime) -> None:
    """Makes this transaction the only writer of these minutes, and holds the limits still until it ends."""
    first_day, last_day = first.astimezone(UTC).date(), last.astimezone(UTC).date()
    days = {"first_day": (first_day - _EPOCH_DAY).days, "last_day": (last_day - _EPOCH_DAY).days}
    with connection.pipeline():  # one round trip
        # The server ends the wait itself: a client that was killed would leave it waiting, a connection each time.
        connection.execute("set local lock_timeout = '20s'")
        connection.execute("select pg_advisory_xact_lock_shared(7305, 0)")
        connection.execute(sql.load("lock_for_scoring"), days)
        connection.execute("select sos_ops.ensure_days(%s, %s)", (first_day, last_day))


@dataclass(frozen=True)
class Standing:
    """What stands at a span of minutes before it is decided.

    Attributes:
        decided: which minutes have rows at all. Shape (minutes,).
        sets: how many of the sets asked for and active at a minute have a row there. Shape (minutes,).
        tag_stored: where a tag has a row. Shape (minutes, tags).
        tag_same: where that row is bit for bit what would be written now. Shape (minutes, tags).
        read_at: platform time at which it was read.
    """

    decided: Bools
    sets: Ints
    tag_stored: Bools
    tag_same: Bools
    read_at: datetime


def read_standing(
    connection: Connection,
    tag_scores: TagScores,
    tag_ids: Ints,
    set_ids: Ints | None = None,
    *,
    backfill: bool = False,
) -> Standing:
    """What stands at the minutes of these scores, compared with them.

    Args:
        connection: an open transaction.
        tag_scores: scores of consecutive minutes.
        tag_ids: database id of each tag.
        set_ids: the sets whose rows are counted, a few; None counts all.
        backfill: sets that are not retired count as active before their creation.
    """
    span = _span(tag_scores.minutes)
    counted = {"set_ids": None if set_ids is None else set_ids.tolist(), "backfill": backfill}
    with connection.pipeline():  # one round trip
        rows = connection.execute(sql.load("select_standing_tag_scores"), span, binary=True)
        counts = connection.execute(sql.load("count_standing_sos"), span | counted, binary=True)
        moment = connection.execute("select sos_ops.now()")
    stored, same = _compare_tag_scores(rows, tag_scores, tag_ids)
    row = moment.fetchone()
    assert row is not None  # noqa: S101  # a function call returns one row
    decided, sets = read_arrays(counts, BOOL, INT8)[0]
    return Standing(decided, sets, stored, same, row[0])


def _compare_tag_scores(
    rows: psycopg.Cursor[tuple[Any, ...]], tag_scores: TagScores, tag_ids: Ints
) -> tuple[Bools, Bools]:
    minute, tag_id, value, result_ts, score, missing = read_arrays(
        rows, TIMESTAMPTZ, INT4, FLOAT8, TIMESTAMPTZ, FLOAT8, CHAR
    )[0]
    stored = np.zeros(tag_scores.known.shape, dtype=np.bool_)
    same = np.zeros(tag_scores.known.shape, dtype=np.bool_)
    if minute.size == 0 or tag_ids.size == 0:
        return stored, same
    by_id = np.argsort(tag_ids)
    column = by_id[np.minimum(np.searchsorted(tag_ids, tag_id, sorter=by_id), tag_ids.size - 1)]
    line = np.searchsorted(tag_scores.minutes, minute)
    known = score >= 0
    equal_known = (
        (value == tag_scores.value[line, column])
        & (result_ts == tag_scores.result_ts[line, column])
        & (score == tag_scores.score[line, column])
    )
    equal_missing = missing == MISSING_CODES[tag_scores.missing[line, column]]
    equal = (known == tag_scores.known[line, column]) & np.where(known, equal_known, equal_missing)
    ours = tag_ids[column] == tag_id
    stored[line[ours], column[ours]] = True
    same[line[ours], column[ours]] = equal[ours]
    return stored, same


def tag_name(connection: Connection, tag_id: int) -> str:
    """The name of a tag."""
    row = connection.execute("select tag from sos_ops.tag where tag_id = %s", (tag_id,)).fetchone()
    assert row is not None  # noqa: S101  # tags are never deleted
    return str(row[0])


def write_new(
    connection: Connection,
    tag_scores: TagScores,
    tag_rows: Bools,
    tag_ids: Micros,
    set_scores: SetScores,
    set_ids: Micros,
    decided_at: datetime,
) -> Written:
    """Writes minutes that have no rows yet.

    Args:
        tag_rows: which tags have a row at which minute, shape (minutes, tags).
        set_scores: its `exists` tells which sets have one.
    """
    tag_columns = _tag_columns(tag_scores, tag_rows, tag_ids, decided_at)
    write_rows(connection, sql.load("copy_tag_scores_in"), tag_columns)
    columns = _set_columns(set_scores, set_scores.exists, set_ids, tag_ids, decided_at)
    return Written(write_rows(connection, sql.load("copy_sos_in"), columns), 0)


def merge(
    connection: Connection,
    tag_scores: TagScores,
    tag_active: Bools,
    tag_rows: Bools,
    tag_ids: Micros,
    set_scores: SetScores,
    set_active: Bools,
    set_ids: Micros,
    decided_at: datetime,
) -> Written:
    """Writes minutes some of whose rows stand already: equal ones stay, changed ones become revisions.

    Args:
        tag_active: where a tag's row may be new; elsewhere it only replaces one that stands.
        tag_rows: which tags take part at all, shape (minutes, tags).
        set_active: the same for sets; `set_scores.exists` tells which take part.
    """
    parameters = {"decided_at": decided_at, **_span(tag_scores.minutes)}
    connection.execute(sql.load("create_staged_scores"))
    tag_columns = _tag_columns(tag_scores, tag_rows, tag_ids, decided_at)
    tag_columns.append(_active_column(tag_active, tag_rows))
    write_rows(connection, sql.load("copy_staged_tag_scores_in"), tag_columns)
    columns = _set_columns(set_scores, set_scores.exists, set_ids, tag_ids, decided_at)
    columns.append(_active_column(set_active, set_scores.exists))
    write_rows(connection, sql.load("copy_staged_sos_in"), columns)
    connection.execute("analyze pg_temp.staged_tag_score, pg_temp.staged_sos")
    connection.execute(sql.load("merge_tag_scores"), parameters)
    row = connection.execute(sql.load("merge_sos"), parameters).fetchone()
    connection.execute("drop table pg_temp.staged_tag_score, pg_temp.staged_sos")
    assert row is not None  # noqa: S101  # an aggregate returns one row
    return Written(int(row[0]), int(row[1]))


def _active_column(active: Bools, chosen: Bools) -> Column:
    return Column("active", CHAR, np.where(active[chosen], b"Y", b"N"))


def _tag_columns(scores: TagScores, chosen: Bools, tag_ids: Micros, decided_at: datetime) -> list[Column]:
    line, column = np.nonzero(chosen)
    known = scores.known[line, column]
    return [
        Column("minute", TIMESTAMPTZ, scores.minutes[line]),
        Column("tag_id", INT4, tag_ids[column]),
        Column("value", FLOAT8, scores.value[line, column], ~known),
        Column("result_ts", TIMESTAMPTZ, scores.result_ts[line, column], ~known),
        Column("score", FLOAT8, scores.score[line, column], ~known),
        Column("missing", CHAR, MISSING_CODES[scores.missing[line, column]], known),
        Column("decided_at", TIMESTAMPTZ, np.full(line.size, to_micros(decided_at))),
    ]


def _set_columns(
    scores: SetScores, chosen: Bools, set_ids: Micros, tag_ids: Micros, decided_at: datetime
) -> list[Column]:
    line, column = np.nonzero(chosen)
    combined = scores.combined
    limiting = combined.limiting[line, column]
    sizes = combined.sizes[column]
    return [
        Column("minute", TIMESTAMPTZ, scores.minutes[line]),
        Column("set_id", INT4, set_ids[column]),
        Column("value", FLOAT8, combined.upper[line, column], ~combined.complete[line, column]),
        Column("upper", FLOAT8, combined.upper[line, column]),
        Column("known", INT2, combined.known[line, column]),
        Column("tags", INT2, sizes),
        Column("band", CHAR, BAND_CODES[scores.band[line, column]]),
        Column("limiting_tag_id", INT4, tag_ids[limiting], limiting < 0),
        Column("decided_at", TIMESTAMPTZ, np.full(line.size, to_micros(decided_at))),
    ]


def _span(minutes: Micros) -> dict[str, datetime]:
    return {"first": from_micros(int(minutes[0])), "last": from_micros(int(minutes[-1]))}
