"""How partners deliver: rows a minute, lateness, share set aside, age of the newest accepted row; per tag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sos_ops.store import sql
from sos_ops.store.connection import Connection

KEPT_DAYS = 400
"""So long a tag's row of each hour is kept."""


@dataclass(frozen=True)
class Delivery:
    """What arrived in a span of time.

    Attributes:
        rows: results, those set aside included.
        rows_per_minute: over the part of the span in which the tag was in use.
        set_aside: how many of them were set aside.
        lateness_p50_s: the median of received_at - TIMESTAMP, s; None when nothing arrived.
        lateness_p95_s: its 95th percentile.
    """

    rows: int
    rows_per_minute: float
    set_aside: int
    lateness_p50_s: float | None
    lateness_p95_s: float | None

    @property
    def share_set_aside(self) -> float | None:
        """Set aside / rows; None when nothing arrived."""
        return self.set_aside / self.rows if self.rows else None


@dataclass(frozen=True)
class TagHealth:
    """A tag in use: what arrived in the hour and the day before `measured_at` (None: not measured yet).

    `newest_accepted` is the TIMESTAMP of its newest accepted row, as of now.
    """

    partner: str
    tag: str
    measured_at: datetime | None
    hour: Delivery | None
    day: Delivery | None
    newest_accepted: datetime | None
    max_age_s: int


@dataclass(frozen=True)
class PartnerHealth:
    """A partner over the last hour: its tags summed up, the worst of them for lateness and age.

    `measured_at` is of its newest measured tag, None where none is measured yet.
    `oldest` is the tag whose newest accepted row is oldest; `never` counts tags without any.
    """

    partner: str
    tags: int
    rows_per_minute: float
    share_set_aside: float | None
    lateness_p50_s: float | None
    lateness_p95_s: float | None
    oldest: TagHealth | None
    never: int
    measured_at: datetime | None


def refresh_partner_health(connection: Connection, at: datetime) -> tuple[int, int]:
    """Measures every tag in use as of `at`; returns how many tags, and rows of whole hours that are new or changed."""
    row = connection.execute(
        sql.load("refresh_partner_health"), {"at": at, "kept_days": KEPT_DAYS}
    ).fetchone()
    assert row is not None  # noqa: S101  # two counts are one row
    return int(row[0]), int(row[1])


def tags_health(connection: Connection, partner: str | None = None) -> list[TagHealth]:
    """Every tag in use (of one partner), by partner and tag."""
    found = []
    for row in connection.execute(sql.load("select_partner_health"), {"partner": partner}):
        partner_name, tag, measured_at = row[:3]
        measured = measured_at is not None
        found.append(
            TagHealth(
                partner=partner_name,
                tag=tag,
                measured_at=measured_at,
                hour=Delivery(*row[3:8]) if measured else None,
                day=Delivery(*row[8:13]) if measured else None,
                newest_accepted=row[13],
                max_age_s=row[14],
            )
        )
    return found


def partners_health(tags: Sequence[TagHealth]) -> list[PartnerHealth]:
    """Tags summed up by partner; `tags` as `tags_health` gives them."""
    return [_sum_up(name, list(its_tags)) for name, its_tags in groupby(tags, key=lambda tag: tag.partner)]


def _sum_up(name: str, tags: Sequence[TagHealth]) -> PartnerHealth:
    hours = [tag.hour for tag in tags if tag.hour is not None]
    rows = sum(hour.rows for hour in hours)
    dated = [tag for tag in tags if tag.newest_accepted is not None]
    return PartnerHealth(
        partner=name,
        tags=len(tags),
        rows_per_minute=sum(hour.rows_per_minute for hour in hours),
        share_set_aside=sum(hour.set_aside for hour in hours) / rows if rows else None,
        lateness_p50_s=max((h.lateness_p50_s for h in hours if h.lateness_p50_s is not None), default=None),
        lateness_p95_s=max((h.lateness_p95_s for h in hours if h.lateness_p95_s is not None), default=None),
        oldest=min(dated, key=lambda tag: (tag.newest_accepted, tag.tag), default=None),
        never=len(tags) - len(dated),
        measured_at=max((tag.measured_at for tag in tags if tag.measured_at), default=None),
    )
