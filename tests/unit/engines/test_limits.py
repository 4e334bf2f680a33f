"""The four limit engines: extremes of a site, withheld while a device is missing unless danger is proven."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pandas as pd
import pytest

from sos_ops.engines.interface import PENDING, Analysis, Engine, Withheld
from sos_ops.engines.limits import RULES, LimitEngine, fed_by, tag_name
from sos_ops.safety.score import Limits
from sos_ops.store.readings import READING_COLUMNS

MINUTE = datetime(2026, 3, 1, tzinfo=UTC)
NEXT = datetime(2026, 3, 1, 0, 1, tzinfo=UTC)
LIMITS = {rule.name: rule.limits for rule in RULES}

Reading = tuple[datetime, str, str, str | None, float | None]


def analyse(*readings: Reading, limits: dict[str, Limits] | None = None) -> Analysis:
    rows = [(*reading, None if reading[3] is None else "good", reading[0]) for reading in readings]
    frame = pd.DataFrame(rows, columns=READING_COLUMNS).astype({"value": "float64"})
    return LimitEngine().analyse(frame, LIMITS if limits is None else limits)


def temperature(
    device: str, value: float | None, minute: datetime = MINUTE, site: str = "testbed"
) -> Reading:
    return (minute, device, site, "max_cell_temperature", value)


def coldest(device: str, value: float) -> Reading:
    return (MINUTE, device, "testbed", "min_cell_temperature", value)


def not_read_completely(device: str, site: str = "testbed") -> Reading:
    return (MINUTE, device, site, None, None)


def found(analysis: Analysis) -> dict[tuple[datetime, str], float]:
    frame = analysis.results
    return {
        (timestamp.to_pydatetime(), tag): value
        for timestamp, tag, value in zip(frame["timestamp"], frame["tag"], frame["value"], strict=True)
    }


def test_the_engine_is_one_by_the_interface() -> None:
    assert isinstance(LimitEngine(), Engine)


def test_an_upper_limit_looks_at_the_highest_and_a_lower_one_at_the_lowest_of_the_site() -> None:
    analysis = analyse(temperature("a", 31.0), temperature("b", 46.0), coldest("a", 12.0), coldest("b", 9.0))
    assert found(analysis) == {(MINUTE, "over_temp"): 46.0, (MINUTE, "under_temp"): 9.0}


def test_the_results_are_stamped_with_the_minute_of_the_readings() -> None:
    analysis = analyse(temperature("a", 31.0), temperature("a", 46.0, NEXT))
    assert found(analysis) == {(MINUTE, "over_temp"): 31.0, (NEXT, "over_temp"): 46.0}


def test_sites_do_not_mix() -> None:
    limits = {"over_temp": Limits(40, 50), "busan/over_temp": Limits(40, 50)}
    analysis = analyse(temperature("a", 31.0), temperature("b", 46.0, site="busan"), limits=limits)
    assert found(analysis) == {(MINUTE, "over_temp"): 31.0, (MINUTE, "busan/over_temp"): 46.0}


def test_a_missing_device_of_another_site_withholds_nothing() -> None:
    limits = {"over_temp": Limits(40, 50), "busan/over_temp": Limits(40, 50)}
    analysis = analyse(temperature("a", 31.0), not_read_completely("b", "busan"), limits=limits)
    assert found(analysis) == {(MINUTE, "over_temp"): 31.0}


def test_a_tag_that_is_not_in_tag_list_is_not_analysed() -> None:
    analysis = analyse(temperature("a", 46.0), limits={})
    assert (found(analysis), analysis.withheld) == ({}, ())


@pytest.mark.parametrize(
    "gap", [not_read_completely("b"), temperature("b", None), temperature("b", math.nan)]
)
def test_the_extreme_is_withheld_while_a_device_has_no_value(gap: Reading) -> None:
    analysis = analyse(temperature("a", 49.9), gap, limits={"over_temp": Limits(40, 50)})
    assert found(analysis) == {}
    assert analysis.withheld == (Withheld("over_temp", "max_cell_temperature missing of b"),)


@pytest.mark.parametrize("value", [50.0, 53.0, 1e6])
def test_a_value_at_or_beyond_the_threshold_proves_danger_although_a_device_is_missing(value: float) -> None:
    analysis = analyse(
        temperature("a", value), not_read_completely("b"), limits={"over_temp": Limits(40, 50)}
    )
    assert found(analysis) == {(MINUTE, "over_temp"): value}


def test_danger_of_a_lower_limit_is_proven_below_it() -> None:
    limits = {"under_temp": Limits(10, 0)}
    assert found(analyse(coldest("a", 0.0), not_read_completely("b"), limits=limits)) == {
        (MINUTE, "under_temp"): 0.0
    }
    assert found(analyse(coldest("a", 0.1), not_read_completely("b"), limits=limits)) == {}


def test_proof_of_danger_follows_the_limits_in_force_not_the_defaults() -> None:
    analysis = analyse(temperature("a", 46.0), not_read_completely("b"), limits={"over_temp": Limits(40, 45)})
    assert found(analysis) == {(MINUTE, "over_temp"): 46.0}


def test_a_device_read_in_part_withholds_only_what_it_did_not_say() -> None:
    limits = {"over_temp": Limits(40, 50), "under_temp": Limits(10, 0)}
    analysis = analyse(
        temperature("a", 31.0),
        coldest("a", 20.0),
        temperature("b", 32.0),
        not_read_completely("b"),
        limits=limits,
    )
    assert found(analysis) == {(MINUTE, "over_temp"): 32.0}
    assert [w.tag for w in analysis.withheld] == ["under_temp"]


def test_a_device_that_measures_something_else_is_not_missing() -> None:
    meter = (MINUTE, "meter", "testbed", "current", 12.0)
    analysis = analyse(temperature("a", 31.0), meter, limits={"over_temp": Limits(40, 50)})
    assert found(analysis) == {(MINUTE, "over_temp"): 31.0}


def test_a_point_that_nobody_measures_is_said_so() -> None:
    meter = (MINUTE, "meter", "testbed", "current", 12.0)
    analysis = analyse(meter, limits={"over_temp": Limits(40, 50)})
    assert analysis.withheld == (
        Withheld("over_temp", "no device of the site measures max_cell_temperature"),
    )


def test_no_readings_are_no_results() -> None:
    analysis = analyse()
    assert (found(analysis), analysis.withheld) == ({}, ())


def test_the_default_site_has_bare_names() -> None:
    assert (tag_name("testbed", "over_temp"), tag_name("busan", "over_temp")) == (
        "over_temp",
        "busan/over_temp",
    )


def test_the_limits_are_the_documents() -> None:
    assert {rule.name: (rule.limits.maximum_safe_value, rule.limits.warning_threshold) for rule in RULES} == {
        "over_temp": (40, 50),
        "under_temp": (10, 0),
        "over_voltage": (4, 4.086),
        "under_voltage": (3.3, 3.15),
    }


def still_being_read(device: str, point: str | None = "max_cell_temperature") -> pd.DataFrame:
    return pd.DataFrame(
        [(MINUTE, device, "testbed", point, math.nan, PENDING, None)], columns=READING_COLUMNS
    )


@pytest.mark.parametrize("point", ["max_cell_temperature", None])
def test_while_a_device_is_still_being_read_even_danger_waits_as_that_device_may_say_worse(
    point: str | None,
) -> None:
    hot = pd.DataFrame([(*temperature("a", 51.2), "good", MINUTE)], columns=READING_COLUMNS)
    analysis = LimitEngine().analyse(
        pd.concat([hot, still_being_read("b", point)]), {"over_temp": LIMITS["over_temp"]}
    )
    assert found(analysis) == {}
    assert analysis.withheld == (Withheld("over_temp", "max_cell_temperature of b is still being read"),)


def test_a_device_still_being_read_holds_only_what_it_measures() -> None:
    hot = pd.DataFrame([(*temperature("a", 46.0), "good", MINUTE)], columns=READING_COLUMNS)
    analysis = LimitEngine().analyse(pd.concat([hot, still_being_read("meter", "current")]), LIMITS)
    assert found(analysis) == {(MINUTE, "over_temp"): 46.0}


def test_a_device_feeds_the_tags_whose_points_it_has_by_name_and_no_other() -> None:
    fed = fed_by({"max_cell_temperature", "min_cell_temperature", "max_cell_volt"}, "busan")
    assert fed.tags == ("busan/over_temp", "busan/under_temp")
    assert fed.lacking == (
        ("busan/over_voltage", "max_cell_voltage"),
        ("busan/under_voltage", "min_cell_voltage"),
    )
    assert fed_by(set(), "testbed").tags == ()
    assert fed_by({rule.point for rule in RULES}, "testbed").lacking == ()
