"""Small worlds of tags, limits, results and sets, scored twice: by the platform, and by hand from the words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from sos_ops.safety.as_of import Micros
from sos_ops.safety.bands import BAND_ORDER
from sos_ops.safety.timeline import (
    FOREVER,
    MINUTE_US,
    BandVersions,
    LimitVersions,
    Results,
    Sets,
    SetScores,
    TagScores,
    score_sets,
    score_tags,
)

SECOND_US = 1_000_000
REASONS = ("none", "stale", "set_aside")


class Version(NamedTuple):
    """A version of a tag's limits; times in microseconds."""

    valid_from: int
    x100: float
    xl: float
    limit: float = 0.8
    max_age: int = 180 * SECOND_US


class Row(NamedTuple):
    """What a set's minute must say; the columns of `tests/golden/`."""

    value: float | None
    upper: float
    known: int
    tags: int
    missing: str
    band: str
    limiting_tag: str


@dataclass(frozen=True)
class World:
    """Tags with their limits, accepted results by (tag, TIMESTAMP), sets, and band limits with their start."""

    limits: Mapping[str, Sequence[Version]]
    results: Mapping[tuple[str, int], float]
    sets: Sequence[frozenset[str]]
    bands: Sequence[tuple[int, float, float]] = field(default=((-FOREVER, 0.8, 0.4),))

    @property
    def tags(self) -> list[str]:
        """The tags in byte order."""
        return sorted(self.limits, key=lambda tag: tag.encode())

    def with_result(self, tag: str, ts: int, value: float) -> World:
        """The same world with one more result."""
        return replace(self, results={**self.results, (tag, ts): value})

    def scored(self, minutes: Sequence[int]) -> tuple[TagScores, SetScores]:
        """What the platform makes of it."""
        marks: Micros = np.array(minutes, dtype=np.int64)
        tag_scores = score_tags(marks, self._limit_versions(), self._results(), len(self.tags))
        number = {tag: n for n, tag in enumerate(self.tags)}
        members = [tuple(sorted(number[tag] for tag in one)) for one in self.sets]
        starts, warning, critical = zip(*self.bands, strict=True)
        bands = BandVersions(np.array(starts, dtype=np.int64), np.array(warning), np.array(critical))
        return tag_scores, score_sets(tag_scores, Sets.of(members), bands)

    def rows(self, minutes: Sequence[int]) -> list[list[Row]]:
        """The platform's rows, per minute and set."""
        tag_scores, set_scores = self.scored(minutes)
        return [
            [self._row(tag_scores, set_scores, m, s) for s in range(len(self.sets))]
            for m in range(len(minutes))
        ]

    def rows_by_hand(self, minute: int) -> list[Row]:
        """The rows of one minute as the words define them, number by number."""
        return [_by_hand(self, minute, sorted(one, key=lambda tag: tag.encode())) for one in self.sets]

    def _row(self, tag_scores: TagScores, set_scores: SetScores, minute: int, number: int) -> Row:
        combined = set_scores.combined
        tags = [n for n, tag in enumerate(self.tags) if tag in self.sets[number]]
        limiting = int(combined.limiting[minute, number])
        upper = float(combined.upper[minute, number])
        return Row(
            value=upper if combined.complete[minute, number] else None,
            upper=upper,
            known=int(combined.known[minute, number]),
            tags=int(combined.sizes[number]),
            missing=";".join(
                f"{self.tags[n]}:{REASONS[tag_scores.missing[minute, n]]}"
                for n in tags
                if not tag_scores.known[minute, n]
            ),
            band=BAND_ORDER[int(set_scores.band[minute, number])].value,
            limiting_tag=self.tags[limiting] if limiting >= 0 else "",
        )

    def _limit_versions(self) -> LimitVersions:
        flat = [(n, version) for n, tag in enumerate(self.tags) for version in sorted(self.limits[tag])]
        return LimitVersions(
            tag=np.array([n for n, _ in flat], dtype=np.int64),
            valid_from=np.array([v.valid_from for _, v in flat], dtype=np.int64),
            maximum_safe_value=np.array([v.x100 for _, v in flat], dtype=np.float64),
            warning_threshold=np.array([v.xl for _, v in flat], dtype=np.float64),
            upper_safety_limit=np.array([v.limit for _, v in flat], dtype=np.float64),
            max_age=np.array([v.max_age for _, v in flat], dtype=np.int64),
        )

    def _results(self) -> Results:
        number = {tag: n for n, tag in enumerate(self.tags)}
        flat = sorted((number[tag], ts, value) for (tag, ts), value in self.results.items())
        first = np.full(len(self.tags), FOREVER, dtype=np.int64)
        for n, ts, _ in flat:
            first[n] = min(first[n], ts)
        return Results(
            tag=np.array([n for n, _, _ in flat], dtype=np.int64),
            ts=np.array([ts for _, ts, _ in flat], dtype=np.int64),
            value=np.array([value for _, _, value in flat], dtype=np.float64),
            first_ts=first,
            set_aside=np.empty((0, 2), dtype=np.int64),
            not_validated=np.empty((0, 2), dtype=np.int64),
        )


def _by_hand(world: World, minute: int, tags: Sequence[str]) -> Row:
    product, lowest, limiting, missing = 1.0, 1.0, "", []
    for tag in tags:
        version = max(v for v in world.limits[tag] if v.valid_from <= minute)
        earlier = [ts for t, ts in world.results if t == tag and ts <= minute]
        if not earlier or max(earlier) <= minute - version.max_age:
            missing.append(f"{tag}:{'stale' if earlier else 'none'}")
            continue
        score = score_by_hand(world.results[tag, max(earlier)], version)
        product *= score
        if score < lowest:
            lowest, limiting = score, tag
    _, warning_below, critical_below = max(b for b in world.bands if b[0] <= minute)
    band = "unknown" if missing else "safe"
    if product < warning_below:
        band = "critical" if product < critical_below else "warning"
    known = len(tags) - len(missing)
    value = None if missing else product
    return Row(value, product, known, len(tags), ";".join(missing), band, limiting)


def score_by_hand(value: float, version: Version) -> float:
    """f of one value, in the words of the mathematics."""
    u = (value - version.x100) / (version.xl - version.x100)
    if u <= 0:
        return 1.0
    return 1.0 / (1.0 + (1.0 / version.limit - 1.0) * (u * u))


START = 26 * 365 * 1440 * MINUTE_US
"""Where the generated worlds lie: any minute mark will do."""

SPAN_MINUTES = 12

minute_marks = st.integers(0, SPAN_MINUTES).map(lambda n: START + n * MINUTE_US)

_moments = st.integers(-6 * 60, SPAN_MINUTES * 60).map(lambda s: START + s * SECOND_US)
_values = st.floats(-100, 100, allow_subnormal=False)


@st.composite
def _versions(draw: st.DrawFn) -> list[Version]:
    starts = [-FOREVER, *sorted(draw(st.sets(_moments, max_size=2)))]
    ages = st.integers(1, 5 * 60).map(lambda s: s * SECOND_US)
    versions = []
    for start in starts:
        x100, xl = draw(st.tuples(_values, _values).filter(lambda pair: pair[0] != pair[1]))
        versions.append(Version(start, x100, xl, draw(st.floats(0.05, 0.99)), draw(ages)))
    return versions


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Up to five tags under changing limits, results at whole seconds with gaps, and sets of up to four tags."""
    tags = draw(
        st.lists(st.sampled_from(["a", "B", "z/a", "ä", "온도", "a_b"]), min_size=1, max_size=5, unique=True)
    )
    limits = {tag: draw(_versions()) for tag in tags}
    results = draw(st.dictionaries(st.tuples(st.sampled_from(tags), _moments), _values, max_size=30))
    sets = draw(
        st.lists(
            st.sets(st.sampled_from(tags), min_size=1, max_size=4).map(frozenset), min_size=1, max_size=4
        )
    )
    bands = draw(st.lists(st.tuples(_moments, st.just(0.9), st.just(0.5)), max_size=1))
    return World(limits, results, sets, [(-FOREVER, 0.8, 0.4), *bands])
