"""Everything a span of minutes is decided from, read once for all its tags and sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from sos_ops.safety.as_of import Micros
from sos_ops.safety.combine import members_matrix
from sos_ops.safety.timeline import FOREVER, BandVersions, Bools, LimitVersions, Results, Sets
from sos_ops.store import sql
from sos_ops.store.binary_copy import FLOAT8, INT4, TIMESTAMPTZ, from_micros, read_rows, to_micros
from sos_ops.store.connection import Connection


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
    tag_names: tuple[str, ...]
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
        known_by: only results that had arrived by then (None: all).
        backfill: sets and tags not retired count as existing before their creation.
    """
    span = {"first": from_micros(int(minutes[0])), "last": from_micros(int(minutes[-1]))}
    tags = connection.execute(sql.load("select_scoring_tags"), span).fetchall()
    tag_ids = np.array([row[0] for row in tags], dtype=np.int64)
    number = {int(tag_id): position for position, tag_id in enumerate(tag_ids)}
    limits = _limits(connection, number)
    set_rows = connection.execute(sql.load("select_scoring_sets"), span).fetchall()
    set_created = _micros([row[2] for row in set_rows], -FOREVER)
    set_last = _micros([row[3] for row in set_rows], FOREVER)
    first = np.where(set_last == FOREVER, -FOREVER, set_created) if backfill else set_created
    members = [tuple(number[tag_id] for tag_id in row[1]) for row in set_rows]
    return ScoringInputs(
        tag_ids=tag_ids,
        tag_names=tuple(str(row[2]) for row in tags),
        tag_first=_micros([row[3] for row in tags], -FOREVER),
        tag_last=_micros([row[4] for row in tags], FOREVER),
        limits=limits,
        bands=_bands(connection),
        results=_results(connection, tags, minutes, limits, known_by),
        set_ids=np.array([row[0] for row in set_rows], dtype=np.int64),
        set_created=set_created,
        sets=Sets(members_matrix(members), first, set_last),
    )


def _limits(connection: Connection, number: dict[int, int]) -> LimitVersions:
    rows = connection.execute(sql.load("select_limit_versions"), {"tag_ids": list(number)}).fetchall()
    tag = np.array([number[row[0]] for row in rows], dtype=np.int64)
    valid_from = _micros([row[1] for row in rows], -FOREVER)
    order = np.lexsort((valid_from, tag))
    x100, xl, limit, max_age_s = (
        np.array([row[n] for row in rows], dtype=np.float64)[order] for n in range(2, 6)
    )
    return LimitVersions(
        tag=tag[order],
        valid_from=valid_from[order],
        maximum_safe_value=x100,
        warning_threshold=xl,
        upper_safety_limit=limit,
        max_age=(max_age_s * 1_000_000).astype(np.int64),
    )


def _bands(connection: Connection) -> BandVersions:
    rows = connection.execute(sql.load("select_bands")).fetchall()
    warning_below, critical_below = (np.array([row[n] for row in rows], dtype=np.float64) for n in (1, 2))
    return BandVersions(_micros([row[0] for row in rows], -FOREVER), warning_below, critical_below)


def _results(
    connection: Connection,
    tags: Sequence[tuple[Any, ...]],
    minutes: Micros,
    limits: LimitVersions,
    known_by: datetime | None,
) -> Results:
    parameters: dict[str, Any] = {
        "tag_ids": [row[0] for row in tags],
        "partner_ids": [row[1] for row in tags],
        "known_by": known_by,
    }
    oldest = timedelta(microseconds=int(limits.max_age.max())) if limits.max_age.size else timedelta(0)
    window = {
        "after": from_micros(int(minutes[0])) - oldest,
        "until": from_micros(int(minutes[-1])),
    }
    rows = read_rows(
        connection,
        sql.load("copy_results"),
        parameters | window,
        [("tag", INT4), ("ts", TIMESTAMPTZ), ("value", FLOAT8)],
    )
    first_ts = np.full(len(tags), FOREVER, dtype=np.int64)
    number = {row[0]: position for position, row in enumerate(tags)}
    for tag_id, first in connection.execute(sql.load("select_first_results"), parameters):
        first_ts[number[tag_id]] = to_micros(first)
    return Results(
        tag=rows["tag"].astype(np.int64),
        ts=rows["ts"].astype(np.int64),
        value=rows["value"].astype(np.float64),
        first_ts=first_ts,
        # Until partners' results are validated, passing the door is acceptance; what the door set aside is a
        # second value for a TIMESTAMP whose first one counts, so no tag is missing because of it.
        set_aside=np.empty((0, 2), dtype=np.int64),
    )


def _micros(moments: Sequence[Any], otherwise: int) -> Micros:
    return np.array([otherwise if m is None else to_micros(m) for m in moments], dtype=np.int64)
