"""The worked timeline of `tests/golden/`; see its README."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from tests.support.worlds import Row

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
DECIDED_AFTER = timedelta(seconds=10)
"""How long after a minute its first decision was made."""


@dataclass(frozen=True)
class GoldenLimits:
    """A version of a tag's limits; valid_from None is the beginning of time."""

    tag: str
    valid_from: datetime | None
    x100: float
    xl: float
    limit: float
    max_age_s: int
    max_count: int


@dataclass(frozen=True)
class GoldenResult:
    """A result with the time it arrived."""

    timestamp: datetime
    received_at: datetime
    partner: str
    tag: str
    value: float


def limits() -> list[GoldenLimits]:
    """Every version, in the order of the file."""
    return [
        GoldenLimits(
            r["tag"],
            None if r["valid_from"] == "-infinity" else datetime.fromisoformat(r["valid_from"]),
            float(r["maximum_safe_value"]),
            float(r["warning_threshold"]),
            float(r["upper_safety_limit"]),
            int(r["max_age_s"]),
            int(r["max_count"]),
        )
        for r in _read("limits")
    ]


def sets() -> dict[int, list[str]]:
    """The tags of each set, in the order its user listed them."""
    return {int(r["set_id"]): r["tags"].split(";") for r in _read("sets")}


def results() -> list[GoldenResult]:
    """Every result in the order of arrival."""
    found = [
        GoldenResult(
            datetime.fromisoformat(r["timestamp"]),
            datetime.fromisoformat(r["received_at"]),
            r["partner"],
            r["tag"],
            float(r["value"]),
        )
        for r in _read("results")
    ]
    return sorted(found, key=lambda result: result.received_at)


def expected(when: str) -> Mapping[tuple[datetime, int], Row]:
    """The rows that must come out (`first` or `final`), by minute and set."""
    return {
        (datetime.fromisoformat(r["minute"]), int(r["set_id"])): Row(
            value=float(r["value"]) if r["value"] else None,
            upper=float(r["upper"]),
            known=int(r["known"]),
            tags=int(r["tags"]),
            missing=r["missing"],
            band=r["band"],
            limiting_tag=r["limiting_tag"],
        )
        for r in _read(f"expected_{when}")
    }


def _read(name: str) -> list[dict[str, str]]:
    with (GOLDEN / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))
