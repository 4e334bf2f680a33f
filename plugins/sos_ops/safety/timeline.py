"""SoS over a span of minutes: the one function behind live, late and backfilled minutes.

Same inputs, same bits: whether a minute is decided alone, again, or inside a day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sos_ops.safety.as_of import Micros, newest_within
from sos_ops.safety.bands import bands_of
from sos_ops.safety.combine import CombinedSets, combine, members_matrix
from sos_ops.safety.score import Floats, depth, score_of_depth

MINUTE_US = 60_000_000
FOREVER = np.iinfo(np.int64).max // 4
"""A time after every other, in microseconds; `-FOREVER` is before every other."""

MISSING_NONE, MISSING_STALE, MISSING_SET_ASIDE, MISSING_NOT_VALIDATED = 0, 1, 2, 3
"""Codes of `sos_ops.safety.as_of.Missing` in arrays, in its order."""

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class LimitVersions:
    """Every version of every tag's limits, sorted by (tag, valid_from). All arrays of shape (versions,).

    The first version of each tag is valid from before every minute.
    """

    tag: Ints
    valid_from: Micros
    maximum_safe_value: Floats
    warning_threshold: Floats
    upper_safety_limit: Floats
    max_age: Micros


@dataclass(frozen=True)
class BandVersions:
    """Every version of the band limits, sorted by valid_from; the first valid from before every minute."""

    valid_from: Micros
    warning_below: Floats
    critical_below: Floats


@dataclass(frozen=True)
class Results:
    """Accepted results of the tags over the span and `max_age` before it, sorted by (tag, ts).

    Attributes:
        tag: tag number of each result.
        ts: its TIMESTAMP.
        value: its value, finite, in the tag's unit.
        first_ts: per tag, its first accepted result ever; FOREVER when it has none. Shape (tags,).
        set_aside: (tag number, ts) of results that reached us and were not accepted, shape (n, 2).
        not_validated: (tag number, ts) of results that reached us and wait for validation, shape (n, 2).
    """

    tag: Ints
    ts: Micros
    value: Floats
    first_ts: Micros
    set_aside: Ints
    not_validated: Ints


@dataclass(frozen=True)
class Sets:
    """Sets by the numbers of their tags in byte order, and the minutes they may have a row in.

    Attributes:
        members: see `sos_ops.safety.combine.members_matrix`.
        first: before this minute the set has no row. Shape (sets,).
        last: from this minute on the set has no row: it is retired. Shape (sets,).
    """

    members: Ints
    first: Micros
    last: Micros

    @classmethod
    def of(cls, tags: list[tuple[int, ...]]) -> Sets:
        """Sets that always exist."""
        return cls(members_matrix(tags), np.full(len(tags), -FOREVER), np.full(len(tags), FOREVER))


@dataclass(frozen=True)
class TagScores:
    """Every tag at every minute; all arrays of shape (minutes, tags).

    Attributes:
        known: whether a fresh accepted result counts.
        value: that result's value, 0 where not known.
        result_ts: its TIMESTAMP, 0 where not known.
        score: f, 1 where not known.
        missing: MISSING_* code where not known.
    """

    minutes: Micros
    known: Bools
    value: Floats
    result_ts: Micros
    score: Floats
    missing: NDArray[np.int8]


@dataclass(frozen=True)
class SetScores:
    """Every set at every minute; see `CombinedSets`, and the band codes of `bands_of`, of the same shape."""

    minutes: Micros
    combined: CombinedSets
    band: NDArray[np.int8]
    exists: Bools


def score_tags(minutes: Micros, limits: LimitVersions, results: Results, tag_count: int) -> TagScores:
    """What every tag is worth at every minute, under the limits valid at that minute."""
    version = _version_at(minutes, limits.tag, limits.valid_from, tag_count)
    max_age = limits.max_age[version]
    index = newest_within(results.tag, results.ts, tag_count, minutes, max_age)
    known = index >= 0
    if results.ts.size:
        at = np.maximum(index, 0)
        value, result_ts = np.where(known, results.value[at], 0.0), np.where(known, results.ts[at], 0)
    else:
        value, result_ts = np.zeros(known.shape), np.zeros(known.shape, dtype=np.int64)
    u = depth(value, limits.maximum_safe_value[version], limits.warning_threshold[version])
    score = np.where(known, score_of_depth(u, limits.upper_safety_limit[version]), 1.0)
    return TagScores(minutes, known, value, result_ts, score, _missing(minutes, max_age, results, tag_count))


def _missing(minutes: Micros, max_age: Micros, results: Results, tag_count: int) -> NDArray[np.int8]:
    never = results.first_ts[None, :] > minutes[:, None]
    missing = np.where(never, MISSING_NONE, MISSING_STALE).astype(np.int8)
    # What may still be accepted is told before what was set aside.
    for waiting, code in (
        (results.set_aside, MISSING_SET_ASIDE),
        (results.not_validated, MISSING_NOT_VALIDATED),
    ):
        if waiting.size:
            order = np.lexsort((waiting[:, 1], waiting[:, 0]))
            tag, ts = waiting[order, 0], waiting[order, 1]
            missing[newest_within(tag, ts, tag_count, minutes, max_age) >= 0] = code
    return missing


def score_sets(tag_scores: TagScores, sets: Sets, bands: BandVersions) -> SetScores:
    """SoS, bound, coverage and band of every set at every minute."""
    minutes = tag_scores.minutes
    combined = combine(tag_scores.score, tag_scores.known, sets.members)
    version = _version_at(minutes, np.zeros(bands.valid_from.size, dtype=np.int64), bands.valid_from, 1)[:, 0]
    band = bands_of(
        combined.upper,
        combined.complete,
        bands.warning_below[version, None],
        bands.critical_below[version, None],
    )
    exists = (sets.first[None, :] <= minutes[:, None]) & (minutes[:, None] < sets.last[None, :])
    return SetScores(minutes, combined, band, exists)


def at_minutes(tag_scores: TagScores, chosen: Bools) -> TagScores:
    """The same, of only some of the minutes (shape (minutes,))."""
    return TagScores(
        tag_scores.minutes[chosen],
        tag_scores.known[chosen],
        tag_scores.value[chosen],
        tag_scores.result_ts[chosen],
        tag_scores.score[chosen],
        tag_scores.missing[chosen],
    )


def _version_at(minutes: Micros, owner: Ints, valid_from: Micros, owners: int) -> Ints:
    """Index of the version valid at each minute, shape (minutes, owners)."""
    if minutes.size == 0:
        return np.zeros((0, owners), dtype=np.int64)
    # Versions from before the span keep their order and lose their distance: the search wants a small range.
    floor = int(minutes.min()) - 1
    crowd = np.arange(valid_from.size) - valid_from.size
    clipped = np.where(valid_from <= floor, floor + crowd, valid_from)
    return newest_within(owner, clipped, owners, minutes, np.full((minutes.size, owners), FOREVER))
