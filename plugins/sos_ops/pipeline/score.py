"""Deciding minutes: what a live run, a late result and a backfill all come down to."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any

import numpy as np

from sos_ops.clock import MINUTE, ceil_minute, floor_minute
from sos_ops.safety.as_of import Micros
from sos_ops.safety.bands import BAND_ORDER, Band
from sos_ops.safety.timeline import Bools, SetScores, TagScores, at_minutes, score_sets, score_tags
from sos_ops.store import scores
from sos_ops.store.binary_copy import to_micros
from sos_ops.store.clock import now
from sos_ops.store.connection import Connection
from sos_ops.store.scoring_inputs import ScoringInputs, load_inputs

log = logging.getLogger(__name__)

REVISED_MINUTES = 5
"""A live run decides these many minutes before its own once more, for results that came late."""

CREATION_TAKES_US = 3_600_000_000
"""A set that was created is committed within this time."""

ROWS_AT_ONCE = 2_000_000
"""Bound on the SoS rows held in memory at a time."""


@dataclass(frozen=True)
class Worst:
    """The set with the lowest bound at the newest minute of a decision."""

    set_id: int
    upper: float
    complete: bool
    limiting_tag: str | None


@dataclass(frozen=True)
class Decision:
    """What deciding a span came to; counts of sets are those of its newest minute."""

    minute: datetime
    minutes: int
    rows: int
    revised: int
    complete: int
    incomplete: int
    bands: dict[Band, int] = field(default_factory=dict)
    worst: Worst | None = None

    def line(self) -> str:
        """One line for the person on call."""
        bands = ", ".join(f"{count} {band}" for band, count in self.bands.items() if count) or "no sets"
        worst = "" if self.worst is None else f"; worst: {_worst_line(self.worst)}"
        return (
            f"{self.minute:%Y-%m-%d %H:%M} UTC: {self.complete} sets complete, {self.incomplete} incomplete ({bands})"
            f"{worst}; {self.minutes} minutes decided, {self.rows} rows written, {self.revised} revised"
        )


def _worst_line(worst: Worst) -> str:
    sign = "at" if worst.complete else "at most"
    cause = f" by {worst.limiting_tag}" if worst.limiting_tag else ""
    return f"set {worst.set_id} {sign} {worst.upper:.3f}{cause}"


def close_minutes(connection: Connection) -> Iterator[Decision]:
    """Decides the minute that has come, revises the last few, then closes every minute missed before.

    Each step is a transaction of its own on `connection`, committed before its decision is yielded, the newest
    minute first: what operators wait for does not wait for the past.

    Yields:
        One decision per transaction.
    """
    minute = floor_minute(now(connection))
    progress = scores.read_progress(connection)
    connection.rollback()
    if progress.closed_until is None:
        first = min(ceil_minute(progress.began), minute) if progress.began else minute
    else:  # the minutes that the missed runs would have revised, too
        first = progress.closed_until + MINUTE - REVISED_MINUTES * MINUTE
    until = minute - REVISED_MINUTES * MINUTE
    yield _close(connection, until, minute, minute if first >= until else None)
    while first < until:
        last = min(until - MINUTE, first + timedelta(minutes=59))
        yield _close(connection, first, last, minute if last + MINUTE == until else last)
        first = last + MINUTE


def _close(
    connection: Connection, first: datetime, last: datetime, closed_until: datetime | None
) -> Decision:
    decision = decide(connection, first, last, live=True)
    scores.advance_progress(connection, closed_until=closed_until, newest_decided=None)
    connection.commit()
    return decision


def decide(
    connection: Connection, first: datetime, last: datetime, *, backfill: bool = False, live: bool = False
) -> Decision:
    """Decides every minute from `first` to `last` inside the caller's transaction.

    Rows that would come out the same are left alone, changed ones become revisions: doing it twice changes nothing.

    Args:
        connection: an open transaction; the caller commits.
        first: a minute mark.
        last: a minute mark, not before `first`, not in the future.
        backfill: sets and tags that are not retired get rows before their creation too.
        live: minutes decided before are known to have rows of all but the newest sets; else all are counted.
    """
    scores.lock_for_scoring(connection, first, last)
    minutes = minute_marks(first, last)
    inputs = load_inputs(connection, minutes, backfill=True)
    tag_scores = score_tags(minutes, inputs.limits, inputs.results, inputs.tag_ids.size)
    counted = _perhaps_unseen(inputs, minutes) if live else np.ones(inputs.set_ids.size, dtype=np.bool_)
    counted_ids = None if counted.all() else inputs.set_ids[counted]
    standing = scores.read_standing(connection, tag_scores, inputs.tag_ids, counted_ids, backfill=backfill)
    decided_at = standing.read_at
    tag_active = inputs.tag_exists(minutes, backfill=backfill)
    set_active = _set_active(inputs, minutes, backfill=backfill)
    untouched = ~standing.decided & ~standing.tag_stored.any(axis=1)
    tag_moved = ((standing.tag_stored | tag_active) & ~standing.tag_same).any(axis=1)
    moved = ~untouched & (tag_moved | (standing.sets < set_active[:, counted].sum(axis=1)))
    rows, revised = 0, 0
    for chosen in _portions(untouched, inputs.set_ids.size):
        part, set_scores = _score(inputs, tag_scores, chosen, set_active)
        written = scores.write_new(
            connection, part, tag_active[chosen], inputs.tag_ids, set_scores, inputs.set_ids, decided_at
        )
        rows += written.rows
    for chosen in _portions(moved, inputs.set_ids.size):
        part, set_scores = _score(inputs, tag_scores, chosen, None)
        written = scores.merge(
            connection,
            part,
            tag_active[chosen],
            inputs.tag_exists(part.minutes, backfill=True),
            inputs.tag_ids,
            set_scores,
            set_active[chosen],
            inputs.set_ids,
            decided_at,
        )
        rows, revised = rows + written.rows, revised + written.revised
    scores.advance_progress(connection, closed_until=None, newest_decided=last)
    newest = at_minutes(tag_scores, minutes == minutes[-1])
    return _decision(
        connection,
        last,
        len(minutes),
        rows,
        revised,
        inputs,
        score_sets(newest, inputs.sets, inputs.bands),
        set_active,
    )


def fill_day(connection: Connection, day: datetime, *, backfill: bool) -> Decision | None:
    """Decides every minute of a UTC day as far as it has passed, hour by hour, each committed.

    Args:
        connection: a connection without an open transaction.
        day: any time of the UTC day.
        backfill: see `decide`.

    Returns:
        The day's decision, or None when the day lies in the future.
    """
    start = datetime.combine(day.astimezone(UTC).date(), time(), tzinfo=UTC)
    newest = floor_minute(now(connection))
    connection.rollback()
    last_of_day = min(start + timedelta(days=1) - MINUTE, newest)
    total: Decision | None = None
    first = start
    while first <= last_of_day:
        last = min(first + timedelta(minutes=59), last_of_day)
        part = decide(connection, first, last, backfill=backfill)
        connection.commit()
        total = part if total is None else _sum(total, part)
        first = last + MINUTE
    return total


def minute_marks(first: datetime, last: datetime) -> Micros:
    """Every minute mark from `first` to `last`, both included."""
    return np.arange(to_micros(first), to_micros(last) + 1, 60_000_000, dtype=np.int64)


def _perhaps_unseen(inputs: ScoringInputs, minutes: Micros) -> Bools:
    """Sets that became visible perhaps only after a minute was decided that they exist at, shape (sets,)."""
    unseen: Bools = inputs.set_created > minutes[0] - CREATION_TAKES_US
    return unseen


def _set_active(inputs: ScoringInputs, minutes: Micros, *, backfill: bool) -> Bools:
    """Where a set's row may be new, shape (minutes, sets)."""
    at = minutes[:, None]
    begun = at >= (inputs.sets.first if backfill else inputs.set_created)[None, :]
    active: Bools = begun & (at < inputs.sets.last[None, :])
    return active


def _portions(chosen: Bools, sets: int) -> Iterator[Bools]:
    """The chosen minutes, few enough at a time that their rows fit in memory."""
    lines = np.flatnonzero(chosen)
    size = max(1, ROWS_AT_ONCE // max(1, sets))
    for start in range(0, lines.size, size):
        portion = np.zeros(chosen.size, dtype=np.bool_)
        portion[lines[start : start + size]] = True
        yield portion


def _score(
    inputs: ScoringInputs, tag_scores: TagScores, chosen: Bools, set_active: Bools | None
) -> tuple[TagScores, SetScores]:
    part = at_minutes(tag_scores, chosen)
    set_scores = score_sets(part, inputs.sets, inputs.bands)
    if set_active is not None:
        set_scores = SetScores(set_scores.minutes, set_scores.combined, set_scores.band, set_active[chosen])
    return part, set_scores


def _decision(
    connection: Connection,
    minute: datetime,
    minutes: int,
    rows: int,
    revised: int,
    inputs: ScoringInputs,
    newest: SetScores,
    set_active: Bools,
) -> Decision:
    active = set_active[-1]
    complete = newest.combined.complete[0] & active
    band = newest.band[0]
    return Decision(
        minute=minute,
        minutes=minutes,
        rows=rows,
        revised=revised,
        complete=int(complete.sum()),
        incomplete=int((active & ~complete).sum()),
        bands={name: int(((band == code) & active).sum()) for code, name in enumerate(BAND_ORDER)},
        worst=_worst(connection, inputs, newest, active),
    )


def _worst(connection: Connection, inputs: ScoringInputs, newest: SetScores, active: Bools) -> Worst | None:
    if not active.any():
        return None
    upper = np.where(active, newest.combined.upper[0], np.inf)
    at = int(np.argmin(upper))
    limiting = int(newest.combined.limiting[0, at])
    return Worst(
        set_id=int(inputs.set_ids[at]),
        upper=float(upper[at]),
        complete=bool(newest.combined.complete[0, at]),
        limiting_tag=scores.tag_name(connection, int(inputs.tag_ids[limiting])) if limiting >= 0 else None,
    )


def _sum(earlier: Decision, later: Decision) -> Decision:
    values: dict[str, Any] = {**later.__dict__}
    for name in ("minutes", "rows", "revised"):
        values[name] = getattr(earlier, name) + getattr(later, name)
    return Decision(**values)
