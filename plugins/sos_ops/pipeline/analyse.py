"""Running the engines: readings in, results through their partners' doors."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pandas as pd

from sos_ops.clock import MINUTE, floor_minute
from sos_ops.engines.interface import Analysis, Engine
from sos_ops.engines.registry import load_engines
from sos_ops.errors import SosOpsError
from sos_ops.safety.score import Limits
from sos_ops.store.clock import now
from sos_ops.store.connection import Connect, Connection, refusals_as_errors
from sos_ops.store.readings import mark_analysed, readings_of, unanalysed_minutes
from sos_ops.store.results import limits_of_partner, write_results

log = logging.getLogger(__name__)

LOOK_BACK = timedelta(days=1)
"""How long after readings came or changed a run still takes them up, whatever minute they are of."""

MINUTES_AT_ONCE = 60
"""A run after an outage takes the newest first and the rest in the next runs."""

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass
class AnalysisReport:
    """What running the engines came to."""

    engines: int = 0
    minutes: int = 0
    results: int = 0
    withheld: list[str] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def line(self) -> str:
        """One line for the person on call: counts, then every tag without a result and every engine that failed."""
        parts = [f"{self.results} results of {self.engines} engines over {self.minutes} minutes"]
        parts += [f"withheld: {line}" for line in self.withheld] + [
            f"failed: {line}" for line in self.failures
        ]
        return "; ".join(parts)


def analyse_new_readings(connect: Connect) -> AnalysisReport:
    """Runs every engine over the minutes whose readings came or changed in the last day, where it has not seen them."""
    with connect() as connection:
        at = now(connection)
    return _analyse(connect, Span(EARLIEST, floor_minute(at), MINUTES_AT_ONCE, changed_since=at - LOOK_BACK))


def analyse_day(connect: Connect, start: datetime) -> AnalysisReport:
    """Runs every engine over the minutes of the day from `start` whose readings it has not seen as they are now."""
    return _analyse(connect, Span(start, start + timedelta(days=1) - MINUTE, 1440))


@dataclass(frozen=True)
class Span:
    """Which minutes are to be analysed; see `unanalysed_minutes`."""

    first: datetime
    until: datetime
    most: int
    changed_since: datetime | None = None


def _analyse(connect: Connect, span: Span) -> AnalysisReport:
    engines, failures = load_engines()
    report = AnalysisReport(failures=failures)
    for engine in engines:
        try:
            with connect() as connection, refusals_as_errors():
                _run(connection, engine, report, span)
        except Exception as error:
            log.exception("engine %s failed", engine.name)
            report.failures.append(f"engine {engine.name}: {type(error).__name__}: {error}")
    return report


def _run(
    connection: Connection,
    engine: Engine,
    report: AnalysisReport,
    span: Span,
) -> None:
    limits = limits_of_partner(connection, engine.partner)
    if limits is None:
        raise SosOpsError(
            f"its partner {engine.partner!r} does not exist: `sos-ops partner add {engine.partner}`"
        )
    minutes = unanalysed_minutes(connection, engine.name, **vars(span))
    report.engines += 1
    if not minutes:
        return
    analysis = engine.analyse(readings_of(connection, [m.minute for m in minutes]), limits)
    rows = list(_writable(analysis.results, limits, report))
    report.results += write_results(connection, engine.partner, rows)
    report.minutes += len(minutes)
    report.withheld += _newest_withheld(analysis)
    mark_analysed(connection, engine.name, minutes)


def _writable(
    results: pd.DataFrame, limits: Mapping[str, Limits], report: AnalysisReport
) -> Iterable[tuple[datetime, str, float]]:
    for timestamp, tag, value in zip(results["timestamp"], results["tag"], results["value"], strict=True):
        if tag not in limits:
            report.withheld.append(f"{tag}: no such tag of this partner in tag_list")
        elif not math.isfinite(value):
            report.withheld.append(f"{tag} at {timestamp:%H:%M}: {value} is no value")
        else:
            yield pd.Timestamp(timestamp).to_pydatetime(), str(tag), float(value)


def _newest_withheld(analysis: Analysis) -> list[str]:
    """One line per tag and reason: sixty minutes of one cause are one cause."""
    return sorted({f"{w.tag}: {w.reason}" for w in analysis.withheld})
