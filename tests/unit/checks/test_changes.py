"""The rate of change: counted as the plain words say it, row by row."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest

from sos_ops.checks.rows import Rows, changes
from sos_ops.checks.suites import Effect, Meaning

SECOND = 1_000_000
RANGE = (-10.0, 10.0)


@dataclass(frozen=True)
class Planted:
    """Rows, which of them count, and what each may be compared with: (TIMESTAMP, value) in the order of time."""

    rows: Rows
    accepted: np.ndarray[tuple[int], np.dtype[np.bool_]]
    before: list[list[tuple[int, float]]]


def planted(seed: int) -> Planted:
    """Three tags; per TIMESTAMP a row of the batch or a result of the history."""
    random = np.random.default_rng(seed)
    tags, ts, values, accepted, before = [], [], [], [], []
    history: list[tuple[int, int, float]] = []
    for tag in range(3):
        bases: list[tuple[int, float]] = []
        times = np.unique(random.integers(0, random.choice([100, 600]), 40)) * SECOND
        for time in times.tolist():
            value = float(np.round(random.normal(0, 6), 1))
            plausible = RANGE[0] <= value <= RANGE[1]
            if random.random() < 0.3:
                if plausible:
                    history.append((len(tags), time, value))
                    bases.append((time, value))
                continue
            counts = bool(random.random() < 0.7)
            before.append(list(bases))
            tags.append(tag)
            ts.append(time)
            values.append(value)
            accepted.append(counts)
            if counts and plausible:
                bases.append((time, value))
        history = [one for one in history if one[0] < len(tags)]  # what no row follows is not asked for
    size = len(tags)
    whole = np.zeros(size, np.int64)
    rows = Rows(
        tag_id=np.array(tags), partner_id=whole, ts=np.array(ts), received_at=whole, value=np.array(values),
        tag=np.full(size, "t", dtype=object), partner=np.full(size, "p", dtype=object), active_until=whole,
        x100=np.full(size, 0.0), xl=np.full(size, 5.0), plausible_low=np.full(size, RANGE[0]),
        plausible_high=np.full(size, RANGE[1]), max_rate=np.full(size, 3.0), stuck_limit_s=np.full(size, np.inf),
        stuck_s=np.zeros(size), other_values=whole,
        history_row=np.array([row for row, _, _ in history], dtype=np.int64),
        history_ts=np.array([time for _, time, _ in history], dtype=np.int64),
        history_value=np.array([value for _, _, value in history], dtype=np.float64),
    )  # fmt: skip
    return Planted(rows, np.array(accepted), before)


def compared(before: list[tuple[int, float]], at: int) -> list[tuple[int, float]]:
    """The newest, the newest at least a minute older, and all within that minute."""
    old = [base for base in before if base[0] <= at - 60 * SECOND]
    return old[-1:] + [base for base in before if base[0] > at - 60 * SECOND]


@pytest.mark.parametrize("seed", range(40))
def test_the_change_is_the_fastest_from_the_accepted_plausible_values_before(seed: int) -> None:
    plant = planted(seed)
    found = changes(plant.rows, plant.accepted)
    for row, before in enumerate(plant.before):
        at, value = int(plant.rows.ts[row]), float(plant.rows.value[row])
        rates = [
            (abs(value - base) / max((at - time) / SECOND / 60, 1.0), base)
            for time, base in compared(before, at)
        ]
        assert found.rate[row] == pytest.approx(max((rate for rate, _ in rates), default=0.0))
        assert math.isnan(found.previous[row]) == (not rates)
        too_fast = [base for rate, base in rates if rate > 3.0]
        if rates and value > before[-1][1]:
            assert found.expected[row] == before[-1][1]
        elif too_fast:  # the higher, the deeper
            assert (found.expected[row] >= value) == (max(too_fast) >= value)


def test_a_sentence_that_cannot_be_filled_in_names_its_finding() -> None:
    meaning = Meaning("own", Effect.MARK, "{active_tag:10}")
    assert meaning.say({"active_tag": None}).startswith("own (its sentence cannot be filled in: TypeError")
    assert meaning.say({"active_tag": "t"}) == "t         "


@pytest.mark.parametrize("value", [None, "t", math.nan])
def test_what_is_no_number_is_not_to_be_expected(value: object) -> None:
    assert math.isnan(Meaning("own", Effect.MARK, "", "rather").expected_of({"rather": value}))
