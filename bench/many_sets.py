"""A minute of 20,000 sets, read, scored and stored, beside the technical document's row-by-row loop.

Both work on the same database of the same server, minute by minute in turn, so that whatever else the machine does
meets both. Ours runs in a process of its own each minute, as a task of Airflow does: nothing is left over from the
minute before. The loop is measured over a sample of the sets and scaled by their number, unless all are asked for.
"""

from __future__ import annotations

import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection as Pipe

import numpy as np
import psycopg2  # type: ignore[import-untyped]

from bench import document_loop
from bench.document_tables import make_tables_of_one_site
from bench.figure import Figure, times_faster
from bench.fleet import SETS_PER_SITE, TAGS_PER_SITE, Fleet, add_fleet, write_minute
from bench.temporary_stack import temporary_database
from sos_ops.clock import MINUTE
from sos_ops.pipeline.score import close_minutes
from sos_ops.pipeline.validate import validate_new
from sos_ops.store.clock import set_clock
from sos_ops.store.connection import connect
from sos_ops.store.scores import advance_progress

SITES = 100
HISTORY_MINUTES = 10
MEASURED_MINUTES = 9
SAMPLE_A_MINUTE = 50
TIMES_FASTER = 1000
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
PACE = 0.5
"""Of the platform's clock. At real pace it would be moved on, to be in step with the machine's minutes."""

Notice = Callable[[str], None]


@dataclass
class _Times:
    """Seconds: ours per minute, the loop's per set."""

    ours: list[float]
    loop: list[float]
    loop_one_site: list[float]


def measure(notice: Notice, *, full: bool = False) -> list[Figure]:
    """Measures the row.

    Args:
        notice: is told how far it is.
        full: the loop does all 20,000 sets instead of a sample; takes half an hour or more.
    """
    fleet = Fleet.of(SITES)
    random = np.random.default_rng(1)
    times = _Times([], [], [])
    with temporary_database() as url:
        notice(f"making {len(fleet.tags):,} tags and {len(fleet.sets):,} sets")
        _furnish(url, fleet)
        for number in range(HISTORY_MINUTES + MEASURED_MINUTES):
            minute = START + number * MINUTE
            _results_arrive(url, fleet, minute, random)
            validate_new(lambda: connect(url))  # a row of its own in the table
            seconds, rows, complete = _in_a_process_of_its_own(url)
            if number >= HISTORY_MINUTES:
                if (rows, complete) != (len(fleet.sets), len(fleet.sets)):
                    raise RuntimeError(f"{rows} rows were written and {complete} sets complete")
                times.ours.append(seconds)
                every = full and number == HISTORY_MINUTES
                _run_loops(url, fleet, times, random, every=every)
                notice(f"minute {len(times.ours)} of {MEASURED_MINUTES}: {seconds * 1000:.0f} ms")
        _check_values(url)
    return _figures(fleet, times, full=full)


def _furnish(url: str, fleet: Fleet) -> None:
    with connect(url) as connection:
        set_clock(connection, platform_time=START - timedelta(hours=3), rate=PACE)
    with connect(url) as connection:
        add_fleet(connection, fleet)
        # The hours since then are none of this measurement's business.
        advance_progress(connection, closed_until=START - MINUTE, newest_decided=None)
    with connect(url) as connection:
        connection.execute("analyze")


def _results_arrive(url: str, fleet: Fleet, minute: datetime, random: np.random.Generator) -> None:
    with connect(url) as connection:
        set_clock(connection, platform_time=minute + timedelta(seconds=2), rate=PACE)
    with connect(url) as connection:
        write_minute(connection, fleet, minute, fleet.values(random))


def _in_a_process_of_its_own(url: str) -> tuple[float, int, int]:
    """The live run of the minute that has come: seconds it took, rows written, sets complete."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_live_run, args=(url, sender))
    child.start()
    sender.close()
    seconds, rows, complete = receiver.recv()
    child.join()
    return float(seconds), int(rows), int(complete)


def _live_run(url: str, answer: Pipe) -> None:
    with connect(url) as connection:
        began = time.perf_counter()
        (decision,) = close_minutes(connection)
        answer.send((time.perf_counter() - began, decision.rows, decision.complete))


def _run_loops(url: str, fleet: Fleet, times: _Times, random: np.random.Generator, *, every: bool) -> None:
    which = list(range(len(fleet.sets))) if every else _sample(random, len(fleet.sets), SAMPLE_A_MINUTE)
    times.loop.append(_loop(url, "keti", which))
    with connect(url) as connection:
        make_tables_of_one_site(connection, fleet.tags[:TAGS_PER_SITE])
    times.loop_one_site.append(_loop(url, "document", _sample(random, SETS_PER_SITE, SAMPLE_A_MINUTE)))


def _sample(random: np.random.Generator, sets: int, size: int) -> list[int]:
    return [int(index) for index in random.choice(sets, size, replace=False)]


def _loop(url: str, schema: str, which: list[int]) -> float:
    """Seconds per set of the document's loop over these of its sets; reading the list of sets is not counted."""
    connection = psycopg2.connect(url, options=f"-c search_path={schema}")
    try:
        sets = document_loop.read_sets(connection)
        began = time.perf_counter()
        document_loop.score_sets(connection, sets, which)
        return (time.perf_counter() - began) / len(which)
    finally:
        connection.close()


def _check_values(url: str) -> None:
    """Both computed the same, or the times say nothing."""
    with connect(url) as connection:
        row = connection.execute(
            'select count(*), max(abs(theirs."VALUE" - ours.value)) from sos_ops.sos_from_script as theirs '
            'join sos_ops.sos as ours on ours.minute = theirs."TIMESTAMP" and ours.set_id = theirs."SET_ID"'
        ).fetchone()
    if row is None or row[0] < SAMPLE_A_MINUTE or not row[1] < 1e-9:
        raise RuntimeError(f"the document's loop and ours differ (rows compared, largest difference): {row}")


def _figures(fleet: Fleet, times: _Times, *, full: bool) -> list[Figure]:
    sets = len(fleet.sets)
    work = f"a minute of {sets:,} sets ({SITES} sites), read, scored and stored, the last 5 minutes revised"
    ours = statistics.median(times.ours)
    sample = f"{SAMPLE_A_MINUTE * MEASURED_MINUTES} sets timed and scaled to {sets:,}"
    how = f"all {sets:,} sets timed" if full else sample
    loop = times.loop[0] if full else statistics.median(times.loop)
    fastest = statistics.median(times.loop_one_site) * sets
    beside = (
        f"the document's row-by-row loop on the same database ({how}); at its fastest, run once per site on plain "
        f"indexed tables of its {TAGS_PER_SITE} tags alone, it takes {fastest:,.0f} s, {fastest / ours:,.0f}x ours"
    )
    return [times_faster(work, ours, beside, loop * sets, least=TIMES_FASTER)]
