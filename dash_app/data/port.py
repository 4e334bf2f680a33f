"""What the page asks of the platform. Times are aware UTC datetimes, ages and limits are seconds.

Every method may raise `SosOpsError`, whose one line is shown to the person; any other exception is logged and shown as
"the data cannot be read".
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sos_ops.safety.bands import Band
from sos_ops.safety.combine import MAX_TAGS
from sos_ops.views import (
    ExplainedTag,
    Explanation,
    Series,
    SetView,
    SosPoint,
    SosSeries,
    TagView,
)

__all__ = [
    "MAX_TAGS",
    "Band",
    "ExplainedTag",
    "Explanation",
    "SafetyStore",
    "Series",
    "SetView",
    "SosPoint",
    "SosSeries",
    "TagView",
]


class SafetyStore(Protocol):
    """The data port. Implementations keep no state that belongs to one reader of the page."""

    def now(self) -> datetime:
        """The platform's time (its clock can be set and sped up: never the web server's own)."""
        ...

    def data_time(self) -> datetime | None:
        """The newest minute that was closed, None before the first."""
        ...

    def tags(self, site: str | None = None) -> list[TagView]:
        """Every tag in use (of one site), in a stable order."""
        ...

    def values(self, tags: Sequence[str], since: datetime, until: datetime, points: int) -> dict[str, Series]:
        """Accepted results in [since, until], by tag.

        Where a tag has many more than `points`, the store may keep only the lowest and highest of each bucket.
        """
        ...

    def find_or_create_set(self, tags: Sequence[str], actor: str) -> SetView:
        """The set of these tags in any order, made if it is new. Bad sets raise `SosOpsError`."""
        ...

    def find_set(self, tags: Sequence[str]) -> SetView | None:
        """The set of these tags in any order, if it exists."""
        ...

    def set_view(self, set_id: int) -> SetView | None:
        """The set of that number, None when unknown or retired."""
        ...

    def sets(self) -> list[tuple[SetView, SosPoint | None]]:
        """The sets in use with their newest decided minute, worst first."""
        ...

    def latest(self, set_id: int) -> SosPoint | None:
        """The newest decided minute, None before the first."""
        ...

    def sos_series(self, set_id: int, since: datetime, until: datetime, points: int) -> SosSeries:
        """The minutes in [since, until]; `points` as for `values`."""
        ...

    def explain(self, set_id: int, minute: datetime | None) -> Explanation:
        """Why the SoS is what it is at `minute`; None: the newest closed one, whether or not the set has a row."""
        ...

    def ready(self) -> None:
        """Return when the database answers, raise when it does not."""
        ...
