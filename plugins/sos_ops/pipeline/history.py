"""Filling a past day: engines over its readings, then every minute's SoS, set-based."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from sos_ops.pipeline.analyse import AnalysisReport, analyse_day
from sos_ops.pipeline.score import Decision, fill_day
from sos_ops.store.connection import Connect


@dataclass(frozen=True)
class DayReport:
    """What filling a day came to; `decision` is None for a day that has not begun."""

    day: date
    analysis: AnalysisReport
    decision: Decision | None

    def line(self) -> str:
        """One line for the data engineer."""
        scored = "the day has not begun, nothing to decide" if self.decision is None else self.decision.line()
        return f"{self.day}: {self.analysis.line()}; {scored}"


def fill(connect: Connect, day: date, *, backfill: bool) -> DayReport:
    """Fills a UTC day as far as it has passed. Doing it again changes nothing.

    Args:
        connect: opens a connection.
        day: the UTC day.
        backfill: somebody asked for it, so sets in use get rows before their creation too.
    """
    start = datetime.combine(day, time(), tzinfo=UTC)
    analysis = analyse_day(connect, start)
    with connect() as connection:
        decision = fill_day(connection, start, backfill=backfill)
    return DayReport(day, analysis, decision)
