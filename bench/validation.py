"""One minute's validation of 10 partners with 100 tags each, beside an expectation of Great Expectations per tag.

Ours runs in a process of its own each minute, forked from one that has loaded what Airflow's scheduler loads: what is
measured is the task's time after its start. Every tag has a plausible range, a largest rate of change and a limit for
being stuck; one row in a hundred breaks one of them.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection as Pipe
from typing import Any

import numpy as np

from bench.figure import Figure, within_seconds
from bench.temporary_stack import temporary_database
from sos_ops.clock import MINUTE
from sos_ops.pipeline.validate import validate_new, warm_up
from sos_ops.safety.score import Limits
from sos_ops.store.catalogue import add_partner, add_tag
from sos_ops.store.checks import change_checks
from sos_ops.store.clock import set_clock
from sos_ops.store.connection import connect
from sos_ops.store.results import write_results

PARTNERS = 10
TAGS_OF_PARTNER = 100
HISTORY_MINUTES = 3
MEASURED_MINUTES = 9
MOST_S = 0.5
LIMITS = Limits(40.0, 50.0)
RANGE = (-20.0, 90.0)
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
RATE = 0.5
"""Any but real time's, at which the clock would be moved on to the machine's minutes, and a run into the next one."""

Notice = Callable[[str], None]
Values = np.ndarray[tuple[int, int], np.dtype[np.float64]]


def measure(notice: Notice) -> list[Figure]:
    """Measures the row."""
    warm_up()
    random = np.random.default_rng(4)
    ours: list[float] = []
    beside: list[float] = []
    with temporary_database() as url:
        notice(f"making {PARTNERS * TAGS_OF_PARTNER:,} tags of {PARTNERS} partners")
        _furnish(url)
        for number in range(HISTORY_MINUTES + MEASURED_MINUTES):
            values = _values(random)
            _results_arrive(url, START + number * MINUTE, values)
            seconds, decided = _in_a_process_of_its_own(_validate, url)
            if decided != values.size:
                raise RuntimeError(f"{decided} of {values.size} results were decided")
            if number >= HISTORY_MINUTES:
                ours.append(seconds)
                notice(f"minute {len(ours)} of {MEASURED_MINUTES}: {seconds * 1000:.0f} ms")
                if len(ours) % 3 == 1:  # the slow one less often
                    beside.append(_in_a_process_of_its_own(_an_expectation_per_tag, values[0])[0] * PARTNERS)
    work = (
        f"a minute of {PARTNERS} partners x {TAGS_OF_PARTNER} tags validated, task time after start: "
        "7 kinds of findings, limits and history joined, decisions stored"
    )
    what = (
        f"the plausible range alone as an expectation per tag ({TAGS_OF_PARTNER} of one partner timed, "
        f"scaled to {PARTNERS}), nothing read or stored"
    )
    return [within_seconds(work, statistics.median(ours), what, statistics.median(beside), most_s=MOST_S)]


def _furnish(url: str) -> None:
    with connect(url) as connection:
        set_clock(connection, platform_time=START - timedelta(hours=1), rate=RATE)
    with connect(url) as connection:
        for partner in range(PARTNERS):
            add_partner(connection, f"partner{partner}")
            for number in range(TAGS_OF_PARTNER):
                tag = _tag(partner, number)
                add_tag(connection, tag, partner=f"partner{partner}", limits=LIMITS)
                change_checks(
                    connection,
                    tag,
                    plausible_low=RANGE[0],
                    plausible_high=RANGE[1],
                    max_rate=20.0,
                    stuck_minutes=30.0,
                )
    with connect(url) as connection:
        connection.execute("analyze")


def _tag(partner: int, number: int) -> str:
    return f"site{partner}/tag{number:03d}"


def _values(random: np.random.Generator) -> Values:
    """A value per partner and tag: one in a hundred is far below its plausible range."""
    values = random.normal(32.0, 2.0, (PARTNERS, TAGS_OF_PARTNER))
    return np.where(random.random(values.shape) < 0.01, -250.0, values)


def _results_arrive(url: str, minute: datetime, values: Values) -> None:
    with connect(url) as connection:
        set_clock(connection, platform_time=minute + timedelta(seconds=2), rate=RATE)
    with connect(url) as connection:
        for partner in range(PARTNERS):
            rows = [(minute, _tag(partner, n), float(value)) for n, value in enumerate(values[partner])]
            write_results(connection, f"partner{partner}", rows)


def _in_a_process_of_its_own(work: Callable[[Any], int], argument: Any) -> tuple[float, int]:
    """Seconds that `work(argument)` takes in a fork of this process, and what it returns."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_timed, args=(work, argument, sender))
    child.start()
    sender.close()
    seconds, result = receiver.recv()
    child.join()
    return float(seconds), int(result)


def _timed(work: Callable[[Any], int], argument: Any, answer: Pipe) -> None:
    began = time.perf_counter()
    result = work(argument)
    answer.send((time.perf_counter() - began, result))


def _validate(url: str) -> int:
    report = validate_new(lambda: connect(url))
    if report.failures:
        raise RuntimeError("; ".join(report.failures))
    return report.accepted + report.set_aside


def _an_expectation_per_tag(values: np.ndarray[tuple[int], np.dtype[np.float64]]) -> int:
    import great_expectations as gx
    import pandas as pd
    from great_expectations.expectations.core.expect_column_values_to_be_between import (
        ExpectColumnValuesToBeBetween,
    )

    frame = pd.DataFrame({"tag": [f"tag{n:03d}" for n in range(values.size)], "value": values})
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}  # type: ignore[assignment]  # a plain dict is what it takes
    batches = (
        context.data_sources.add_pandas("beside")
        .add_dataframe_asset("a")
        .add_batch_definition_whole_dataframe("b")
    )
    suite = gx.ExpectationSuite(
        name="per tag",
        expectations=[
            ExpectColumnValuesToBeBetween(
                column="value", min_value=RANGE[0], max_value=RANGE[1],
                row_condition=f'tag=="{tag}"', condition_parser="pandas",
            )
            for tag in frame["tag"]
        ],
    )  # fmt: skip
    result = batches.get_batch(batch_parameters={"dataframe": frame}).validate(
        suite, result_format="COMPLETE"
    )
    return len(result.results)
