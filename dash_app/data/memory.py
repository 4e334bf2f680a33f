"""A store that lives in memory: what the page's own tests run on, with a clock, data and faults they can set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count

from dash_app.data.port import (
    MAX_TAGS,
    Band,
    ExplainedTag,
    Explanation,
    Series,
    SetView,
    SosPoint,
    SosSeries,
    TagView,
)
from sos_ops.clock import MINUTE, Now, ceil_minute, floor_minute
from sos_ops.errors import InvalidConfigurationError, UnknownNameError
from sos_ops.safety.bands import BandLimits, band_of
from sos_ops.safety.combine import shares, sos_of
from sos_ops.safety.score import Limits, depth, score

WORST_FIRST = (Band.CRITICAL, Band.WARNING, Band.UNKNOWN, Band.SAFE)
"""Worst first, as the list of sets shows them."""


@dataclass(frozen=True)
class MemoryTag:
    """A row of `tag_list`."""

    tag: str
    maximum_safe_value: float
    warning_threshold: float
    unit: str | None = None
    site: str = "testbed"
    partner: str = "keti"
    upper_safety_limit: float = 0.8
    max_age_s: float = 180.0
    max_count: int = 2
    action: str | None = None

    @property
    def limits(self) -> Limits:
        """x100, xL and L."""
        return Limits(self.maximum_safe_value, self.warning_threshold, self.upper_safety_limit)

    def depth(self, x: float) -> float:
        """U of `x`."""
        return float(depth(x, self.maximum_safe_value, self.warning_threshold))

    def score(self, x: float) -> float:
        """F of `x`."""
        return float(score(x, self.limits))


@dataclass
class MemoryStore:
    """The port over dictionaries. `failure` is raised by every method while it is set."""

    clock: Now
    tag_list: list[MemoryTag] = field(default_factory=list)
    results: dict[str, dict[datetime, float]] = field(default_factory=dict)
    closed: datetime | None = None
    """The newest closed minute."""
    missed: set[datetime] = field(default_factory=set)
    """Minutes that have no row."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Per tag the line that says why it is missing."""
    changes: tuple[str, ...] = ()
    bands: BandLimits = field(default_factory=BandLimits)
    failure: Exception | None = None
    made: dict[int, SetView] = field(default_factory=dict)
    actors: list[str] = field(default_factory=list)
    _ids: count[int] = field(default_factory=lambda: count(1))

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _tag(self, name: str) -> MemoryTag:
        for tag in self.tag_list:
            if tag.tag == name:
                return tag
        raise UnknownNameError(f"There is no tag {name!r}: choose one of the list.")

    def _fresh(self, tag: MemoryTag, at: datetime) -> tuple[datetime, float] | None:
        oldest = at - timedelta(seconds=tag.max_age_s)
        times = [t for t in self.results.get(tag.tag, {}) if oldest < t <= at]
        return (max(times), self.results[tag.tag][max(times)]) if times else None

    def _point(self, view: SetView, minute: datetime) -> SosPoint:
        scores = self._scores(view, minute)
        upper, complete = sos_of(list(scores.values())), len(scores) == len(view.tags)
        limiting = min(scores, key=lambda name: scores[name]) if upper < 1 else None
        band = band_of(upper, complete=complete, limits=self.bands)
        value = upper if complete else None
        return SosPoint(minute, value, upper, len(scores), len(view.tags), band, limiting)

    def _scores(self, view: SetView, minute: datetime) -> dict[str, float]:
        rows = {name: self._fresh(self._tag(name), minute) for name in view.tags}
        return {name: self._tag(name).score(row[1]) for name, row in rows.items() if row is not None}

    def _decided(self, view: SetView, minute: datetime) -> bool:
        return (
            self.closed is not None
            and view.first_minute <= minute <= self.closed
            and minute not in self.missed
        )

    def now(self) -> datetime:
        """The clock's time."""
        self._check()
        return self.clock()

    def data_time(self) -> datetime | None:
        """The newest closed minute."""
        self._check()
        return self.closed

    def tags(self, site: str | None = None) -> list[TagView]:
        """Every tag, as of the clock's time."""
        self._check()
        return [self._view(tag) for tag in self.tag_list if site in (None, tag.site)]

    def _view(self, tag: MemoryTag) -> TagView:
        times = self.results.get(tag.tag, {})
        newest = max(times, default=None)
        row = self._fresh(tag, self.clock())
        return TagView(
            tag.tag,
            tag.site,
            tag.partner,
            tag.unit,
            tag.action,
            tag.max_count,
            tag.maximum_safe_value,
            tag.warning_threshold,
            tag.upper_safety_limit,
            tag.max_age_s,
            value=None if newest is None else times[newest],
            timestamp=newest,
            fresh=row is not None,
            score=None if row is None else tag.score(row[1]),
        )

    def values(self, tags: Sequence[str], since: datetime, until: datetime, points: int) -> dict[str, Series]:  # noqa: ARG002  # small enough to keep whole
        """The results in the window, none left out."""
        self._check()
        series = {}
        for name in tags:
            rows = sorted(
                (t, x) for t, x in self.results.get(self._tag(name).tag, {}).items() if since <= t <= until
            )
            series[name] = Series([t for t, _ in rows], [x for _, x in rows])
        return series

    def find_or_create_set(self, tags: Sequence[str], actor: str) -> SetView:
        """The set of these tags; a new one begins with the next minute."""
        known = self.find_set(tags)
        if known is not None:
            return known
        if not 1 <= len(tags) <= MAX_TAGS:
            raise InvalidConfigurationError(f"A set has 1 to {MAX_TAGS} tags, not {len(tags)}: choose again.")
        sites = {self._tag(name).site for name in tags}
        if len(sites) > 1:
            raise InvalidConfigurationError("A set combines tags of one site: choose tags of the same site.")
        number, now = next(self._ids), self.clock()
        view = SetView(number, tuple(sorted(tags)), sites.pop(), now, ceil_minute(now))
        self.made[number] = view
        self.actors.append(actor)
        return view

    def backdate(self, set_id: int, first_minute: datetime) -> None:
        """Let the set have existed since `first_minute`."""
        self.made[set_id] = replace(self.made[set_id], created_at=first_minute, first_minute=first_minute)

    def find_set(self, tags: Sequence[str]) -> SetView | None:
        """The set of these tags in any order."""
        self._check()
        wanted = sorted(tags)
        return next((view for view in self.made.values() if sorted(view.tags) == wanted), None)

    def set_view(self, set_id: int) -> SetView | None:
        """The set of that number."""
        self._check()
        return self.made.get(set_id)

    def sets(self) -> list[tuple[SetView, SosPoint | None]]:
        """Every set, by band and then by its upper bound."""
        rows = [(view, self.latest(view.set_id)) for view in self.made.values()]
        return sorted(rows, key=lambda row: _badness(row[1]))

    def latest(self, set_id: int) -> SosPoint | None:
        """The set at the newest closed minute."""
        self._check()
        view = self.made[set_id]
        minute = self.closed
        while minute is not None and minute in self.missed:
            minute -= MINUTE
        return None if minute is None or minute < view.first_minute else self._point(view, minute)

    def sos_series(self, set_id: int, since: datetime, until: datetime, points: int) -> SosSeries:  # noqa: ARG002  # small enough to keep whole
        """Every minute of the window since the set began, missed ones with nothing."""
        self._check()
        view, series = self.made[set_id], SosSeries([], [], [], [])
        minute, last = max(view.first_minute, ceil_minute(since)), min(until, self.closed or until)
        while minute <= last:
            point = self._point(view, minute) if self._decided(view, minute) else None
            series.minutes.append(minute)
            series.values.append(point.value if point else None)
            series.uppers.append(point.upper if point else None)
            series.bands.append(point.band if point else Band.UNKNOWN)
            minute += MINUTE
        return series

    def explain(self, set_id: int, minute: datetime | None) -> Explanation:
        """The newest or the asked minute, computed again from the results."""
        self._check()
        view = self.made[set_id]
        asked = minute or self.closed
        if asked is None:
            raise UnknownNameError("no minute is decided yet: the first comes with the next full minute")
        at = floor_minute(asked)
        exists = self._decided(view, at)
        point = self._point(view, at) if exists else _nothing(view, at)
        scores = self._scores(view, at)
        share = dict(zip(scores, shares(list(scores.values())), strict=True))
        parts = (
            tuple(self._part(name, at, scores.get(name), share.get(name)) for name in view.tags)
            if exists
            else ()
        )
        return Explanation(
            set_id,
            at,
            exists,
            point.value,
            point.upper,
            point.known,
            point.tags,
            point.band,
            point.limiting_tag,
            decided_at=at + timedelta(seconds=5) if exists else None,
            warning_below=self.bands.warning_below,
            critical_below=self.bands.critical_below,
            parts=parts,
            changes=self.changes if exists else (),
        )

    def _part(self, name: str, at: datetime, f: float | None, share: float | None) -> ExplainedTag:
        tag = self._tag(name)
        row = self._fresh(tag, at)
        return ExplainedTag(
            name,
            tag.unit,
            value=row[1] if row else None,
            timestamp=row[0] if row else None,
            age_s=(at - row[0]).total_seconds() if row else None,
            received_at=row[0] + timedelta(seconds=2) if row else None,
            maximum_safe_value=tag.maximum_safe_value,
            warning_threshold=tag.warning_threshold,
            upper_safety_limit=tag.upper_safety_limit,
            limits_version=1,
            limits_valid_from=None,
            u=tag.depth(row[1]) if row else None,
            f=f,
            share=share,
            missing_reason=None if row else "stale",
            missing_detail=None
            if row
            else self.reasons.get(name, f"no accepted result for {tag.max_age_s:g} s"),
        )

    def ready(self) -> None:
        """Raise the failure, if one is set."""
        self._check()


def _nothing(view: SetView, minute: datetime) -> SosPoint:
    return SosPoint(minute, None, None, 0, len(view.tags), Band.UNKNOWN, None)


def _badness(point: SosPoint | None) -> tuple[int, float]:
    if point is None:
        return len(WORST_FIRST), 0.0
    return WORST_FIRST.index(point.band), 1.0 if point.upper is None else point.upper
