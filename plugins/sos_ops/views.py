"""What people see of the platform: tags, sets, minutes and explanations, on the page and the command line.

Times are aware UTC datetimes, ages are seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sos_ops.safety.bands import Band


@dataclass(frozen=True)
class TagView:
    """One tag of `tag_list` with the limits valid now and its newest accepted result."""

    tag: str
    site: str
    partner: str
    unit: str | None
    action: str | None
    max_count: int
    maximum_safe_value: float
    warning_threshold: float
    upper_safety_limit: float
    max_age_s: float
    value: float | None
    timestamp: datetime | None
    fresh: bool
    score: float | None
    """f as of now, None unless `fresh`."""


@dataclass(frozen=True)
class SetView:
    """A set of 1 to 4 tags of one site."""

    set_id: int
    tags: tuple[str, ...]
    site: str
    created_at: datetime
    first_minute: datetime
    """The first minute that has, or will have, a row of this set."""


@dataclass(frozen=True)
class SosPoint:
    """One decided minute of a set. `upper` is the product over the known tags: no SoS can be above it."""

    minute: datetime
    value: float | None
    upper: float | None
    known: int
    tags: int
    band: Band
    limiting_tag: str | None


@dataclass(frozen=True)
class Series:
    """Values of one tag, oldest first. `None` is drawn as a gap."""

    times: list[datetime]
    values: list[float | None]


@dataclass(frozen=True)
class SosSeries:
    """Minutes of one set, oldest first. Without SoS a minute has value None, without a row no upper bound either."""

    minutes: list[datetime]
    values: list[float | None]
    uppers: list[float | None]
    bands: list[Band]


@dataclass(frozen=True)
class ExplainedTag:
    """What one tag gave to one minute: the row used, the limits valid then, the outcome, or why it is missing."""

    tag: str
    unit: str | None
    value: float | None
    timestamp: datetime | None
    age_s: float | None
    received_at: datetime | None
    maximum_safe_value: float
    warning_threshold: float
    upper_safety_limit: float
    limits_version: int
    limits_valid_from: datetime | None
    """None: from the beginning of time."""
    u: float | None
    f: float | None
    share: float | None
    missing_reason: str | None
    missing_detail: str | None
    marks: tuple[str, ...] = ()
    """What validation found about the row used that did not keep it from counting."""
    doubt: str | None = None
    """Why the row used is doubtful although it counts: unlikely, but pointing to danger."""


@dataclass(frozen=True)
class Explanation:
    """Why a set's SoS is what it is at one minute. `exists` is False where no row was decided (bands still hold)."""

    set_id: int
    minute: datetime
    exists: bool
    value: float | None
    upper: float | None
    known: int
    tags: int
    band: Band
    limiting_tag: str | None
    decided_at: datetime | None
    warning_below: float
    critical_below: float
    parts: tuple[ExplainedTag, ...]
    changes: tuple[str, ...]
    """What changed since the minute was first decided, one line each."""
