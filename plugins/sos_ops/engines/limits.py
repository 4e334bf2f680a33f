"""The document's four limit engines of partner `keti`: the extreme temperature and cell voltage of a site."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from sos_ops.engines.interface import PENDING, Analysis, Withheld
from sos_ops.safety.score import Limits, depth

DEFAULT_SITE = "testbed"


@dataclass(frozen=True)
class LimitRule:
    """A tag that is the extreme of one point over the devices of a site."""

    name: str
    point: str
    highest: bool
    unit: str
    limits: Limits


RULES = (
    LimitRule("over_temp", "max_cell_temperature", True, "°C", Limits(40.0, 50.0)),
    LimitRule("under_temp", "min_cell_temperature", False, "°C", Limits(10.0, 0.0)),
    LimitRule("over_voltage", "max_cell_voltage", True, "V", Limits(4.0, 4.086)),
    LimitRule("under_voltage", "min_cell_voltage", False, "V", Limits(3.3, 3.15)),
)
"""Limits as in the document's table of the selected analyses (section 1)."""


def tag_name(site: str, name: str) -> str:
    """The full name of a tag: bare at the default site, `site/name` elsewhere."""
    return name if site == DEFAULT_SITE else f"{site}/{name}"


@dataclass(frozen=True)
class Fed:
    """What a device measures of a site's tags.

    Attributes:
        tags: full names of the tags whose point it measures.
        lacking: the other tags, each with the point that the device would have to measure.
    """

    tags: tuple[str, ...]
    lacking: tuple[tuple[str, str], ...]


def fed_by(points: Collection[str], site: str) -> Fed:
    """The tags of the site that a device with these points feeds; it does not count for the others."""
    return Fed(
        tuple(tag_name(site, rule.name) for rule in RULES if rule.point in points),
        tuple((tag_name(site, rule.name), rule.point) for rule in RULES if rule.point not in points),
    )


class LimitEngine:
    """over_temp, under_temp, over_voltage and under_voltage of every site that has such tags."""

    name = "keti_limits"
    partner = "keti"

    def analyse(self, readings: pd.DataFrame, limits: Mapping[str, Limits]) -> Analysis:
        """The extreme of each rule's point per site and minute; see `Engine.analyse`.

        Absent data can prove danger, never safety: while a device of the site lacks a value that it measures (or may
        measure: it was not read completely), the extreme of the others is given only when it already lies at or
        beyond the tag's warning threshold. While a device is still being read, none is given: the first to arrive
        stays, and what that device is about to say may be worse.
        """
        rows: list[tuple[Any, str, float]] = []
        withheld: list[Withheld] = []
        for (minute, site), group in readings.groupby(["minute", "site"], sort=True):
            for found in _of_site(str(site), group, limits):
                if isinstance(found, Withheld):
                    withheld.append(found)
                else:
                    rows.append((minute, *found))
        return Analysis(pd.DataFrame(rows, columns=["timestamp", "tag", "value"]), tuple(withheld))


def _of_site(
    site: str, group: pd.DataFrame, limits: Mapping[str, Limits]
) -> Iterator[tuple[str, float] | Withheld]:
    anything = group["point"].isna()
    for rule in RULES:
        tag = tag_name(site, rule.name)
        if tag not in limits:
            continue
        its_rows = group.loc[anything | (group["point"] == rule.point)]
        values = its_rows.set_index("device")["value"].dropna()
        missing = sorted(set(its_rows["device"]) - set(values.index))
        pending = sorted(set(its_rows.loc[its_rows["quality"] == PENDING, "device"]) - set(values.index))
        extreme = math.nan if values.empty else float(values.max() if rule.highest else values.min())
        if pending:
            yield Withheld(tag, f"{rule.point} of {', '.join(pending)} is still being read")
        elif values.empty and not missing:
            yield Withheld(tag, f"no device of the site measures {rule.point}")
        elif values.empty or (missing and _depth(extreme, limits[tag]) < 1.0):
            yield Withheld(tag, f"{rule.point} missing of {', '.join(missing)}")
        else:
            yield tag, extreme


def _depth(value: float, limits: Limits) -> float:
    return float(depth(value, limits.maximum_safe_value, limits.warning_threshold))
