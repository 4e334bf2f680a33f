"""Everything a span of minutes is decided from, read once for all its tags and sets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import psycopg
from numpy.typing import NDArray

from sos_ops.errors import SosOpsError
from sos_ops.safety.as_of import Micros
from sos_ops.safety.combine import MAX_TAGS
from sos_ops.safety.timeline import FOREVER, BandVersions, Bools, Ints, LimitVersions, Results, Sets
from sos_ops.store import sql
from sos_ops.store.binary_copy import CHAR, FLOAT8, INT4, TIMESTAMPTZ, from_micros, read_arrays, to_micros
from sos_ops.store.connection import Connection

Cursor = psycopg.Cursor[tuple[Any, ...]]

_NO_INTS = np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class ScoringInputs:
    """Inputs of a span; tags and sets are numbered by their position, tags in byte order of their names.

    Attributes:
        tag_ids: database id of each tag. Shape (tags,).
        tag_first: the tag's creation; before it the tag has rows only where a backfill was asked for.
        tag_last: the tag's retirement, FOREVER if none.
        set_ids: database id of each set. Shape (sets,).
        set_created: the set's creation; before it the set has rows only where a backfill was asked for.
    """

    tag_ids: Micros
    tag_first: Micros
    tag_last: Micros
    limits: LimitVersions
    bands: BandVersions
    results: Results
    set_ids: Micros
    set_created: Micros
    sets: Sets

    def tag_exists(self, minutes: Micros, *, backfill: bool) -> Bools:
        """Whether each tag has a row at each minute, shape (minutes, tags)."""
        first = np.where(self.tag_last == FOREVER, -FOREVER, self.tag_first) if backfill else self.tag_first
        at = minutes[:, None]
        exists: Bools = (first[None, :] <= at) & (at < self.tag_last[None, :])
        return exists


def load_inputs(
    connection: Connection, minutes: Micros, *, known_by: datetime | None = None, backfill: bool = False
) -> ScoringInputs:
    """Reads what the minutes are decided from.

    Args:
        connection: an open transaction.
        minutes: minute marks, microseconds (see `to_micros`), ascending, at least one.
        known_by: only results that counted by then (None: all).
        backfill: sets and tags not retired count as existing before their creation.
    """
    span = {
        "first": from_micros(int(minutes[0])),
        "last": from_micros(int(minutes[-1])),
        "known_by": known_by,
    }
    with connection.pipeline():  # one round trip
        # Sets before tags before the rest: what is added meanwhile is never referred to by what was read.
        sets = connection.execute(sql.load("select_scored_sets"), span, binary=True)
        tags = connection.execute(sql.load("select_scored_tags"), span, binary=True)
        limits = connection.execute(sql.load("select_scored_limits"), span, binary=True)
        results = connection.execute(sql.load("select_scored_results"), span, binary=True)
        waiting = connection.execute(sql.load("select_waiting_results"), span, binary=True)
        bands = connection.execute(sql.load("select_bands"))
    tag_ids, tag_first, tag_last = read_arrays(tags, INT4, TIMESTAMPTZ, TIMESTAMPTZ)[0]
    number = _Numbers(tag_ids)
    set_ids, members, set_created, set_last = _sets(sets, number)
    first = np.where(set_last == FOREVER, -FOREVER, set_created) if backfill else set_created
    return ScoringInputs(
        tag_ids=tag_ids.astype(np.int64),
        tag_first=_bounded(tag_first),
        tag_last=_bounded(tag_last),
        limits=_limits(limits, number),
        bands=_bands(bands),
        results=_results(connection, results, waiting, number, minutes, known_by),
        set_ids=set_ids,
        set_created=set_created,
        sets=Sets(members, first, set_last),
    )


class _Numbers:
    """The numbers of tags by their database ids."""

    def __init__(self, tag_ids: NDArray[np.int32]) -> None:
        self.ids = tag_ids
        self._number = np.full(int(tag_ids.max(initial=0)) + 2, -1, dtype=np.int64)
        self._number[tag_ids] = np.arange(tag_ids.size)

    def of(self, tag_ids: NDArray[np.int32]) -> Ints:
        """The number of each, -1 of those that are not among the tags; same shape."""
        numbers: Ints = self._number[np.minimum(tag_ids, self._number.size - 1)]
        return numbers


def _sets(rows: Cursor, number: _Numbers) -> tuple[Ints, Ints, Micros, Micros]:
    """Ids ascending, members, creation and retirement of the sets."""
    parts: list[tuple[Ints, ...]] = [(_NO_INTS, np.empty((0, MAX_TAGS), dtype=np.int64), _NO_INTS, _NO_INTS)]
    for ids, tag_ids, created, retired in read_arrays(rows, INT4, INT4, TIMESTAMPTZ, TIMESTAMPTZ):
        members = np.full((ids.size, MAX_TAGS), -1, dtype=np.int64)
        members[:, : tag_ids.shape[1]] = number.of(tag_ids)
        if (members[:, : tag_ids.shape[1]] < 0).any():
            raise SosOpsError(
                "a set holds a tag that does not exist at these minutes: its SoS would look complete"
            )
        parts.append((ids.astype(np.int64), members, _bounded(created), _bounded(retired)))
    set_ids, members, created, retired = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(set_ids, kind="stable")
    return set_ids[order], members[order], created[order], retired[order]


def _limits(rows: Cursor, number: _Numbers) -> LimitVersions:
    tag_ids, valid_from, x100, xl, limit, max_age_s = read_arrays(
        rows, INT4, TIMESTAMPTZ, FLOAT8, FLOAT8, FLOAT8, INT4
    )[0]
    tag, since = number.of(tag_ids), _bounded(valid_from)
    order = np.lexsort((since, tag))
    order = order[tag[order] >= 0]
    return LimitVersions(
        tag=tag[order],
        valid_from=since[order],
        maximum_safe_value=x100[order],
        warning_threshold=xl[order],
        upper_safety_limit=limit[order],
        max_age=max_age_s[order].astype(np.int64) * 1_000_000,
    )


def _bands(rows: Cursor) -> BandVersions:
    versions = rows.fetchall()
    valid_from = [-FOREVER if row[0] is None else to_micros(row[0]) for row in versions]
    warning_below, critical_below = (np.array([row[n] for row in versions], dtype=np.float64) for n in (1, 2))
    return BandVersions(np.array(valid_from, dtype=np.int64), warning_below, critical_below)


def _results(
    connection: Connection,
    rows: Cursor,
    waiting: Cursor,
    number: _Numbers,
    minutes: Micros,
    known_by: datetime | None,
) -> Results:
    tag_ids, ts, value = read_arrays(rows, INT4, TIMESTAMPTZ, FLOAT8)[0]
    tag = number.of(tag_ids)
    order = np.lexsort((ts, tag))
    order = order[tag[order] >= 0]
    return Results(
        tag=tag[order],
        ts=ts[order],
        value=value[order],
        first_ts=_first_ts(connection, number, tag[order], ts[order], int(minutes[0]), known_by),
        set_aside=_waiting(waiting, number, b"S"),
        not_validated=_waiting(waiting, number, b"N"),
    )


def _waiting(rows: Cursor, number: _Numbers, state: bytes) -> Ints:
    """Tag number and time of results in a state in which they do not count, shape (n, 2).

    Second values for a TIMESTAMP are not among them: no tag is missing because of one.
    """
    tag_ids, ts, states = read_arrays(rows, INT4, TIMESTAMPTZ, CHAR)[0]
    tag = number.of(tag_ids)
    chosen = (states == state) & (tag >= 0)
    pairs: Ints = np.stack([tag[chosen], ts[chosen]], axis=1).astype(np.int64)
    return pairs


def _first_ts(
    connection: Connection, number: _Numbers, tag: Ints, ts: Micros, first: int, known_by: datetime | None
) -> Micros:
    """A result of each tag at or before the minute `first` if one was read, else its first result ever.

    That is all that matters: from a tag's first result on, no minute of the span finds that it never had one.
    """
    first_ts = np.full(number.ids.size, FOREVER, dtype=np.int64)
    early = ts <= first
    first_ts[tag[early]] = ts[early]
    unsure = number.ids[first_ts == FOREVER]
    if unsure.size:
        asked = {"tag_ids": unsure.tolist(), "known_by": known_by}
        rows = connection.execute(sql.load("select_first_result_times"), asked, binary=True)
        tag_ids, begun = read_arrays(rows, INT4, TIMESTAMPTZ)[0]
        first_ts[number.of(tag_ids)] = begun
    return first_ts


def _bounded(moments: Micros) -> Micros:
    """Times with PostgreSQL's infinities as ours."""
    bounded: Micros = np.clip(moments, -FOREVER, FOREVER)
    return bounded
