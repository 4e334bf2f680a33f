"""Filling a past day: engines over its readings, validation, then every minute's SoS, set-based."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sos_ops.errors import DatabaseUnavailableError
from sos_ops.pipeline.analyse import AnalysisReport, analyse_day
from sos_ops.pipeline.score import Decision, fill_day
from sos_ops.pipeline.validate import ValidationReport, validate_span
from sos_ops.store.connection import Connect

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class DayReport:
    """What filling a day came to; `decision` is None for a day that has not begun."""

    day: date
    analysis: AnalysisReport
    validation: ValidationReport
    decision: Decision | None

    @property
    def failures(self) -> list[str]:
        """What failed; the day is scored from what there is all the same."""
        return [*self.analysis.failures, *self.validation.failures]

    def line(self) -> str:
        """One line for the data engineer."""
        scored = "the day has not begun, nothing to decide" if self.decision is None else self.decision.line()
        return f"{self.day}: {self.analysis.line()}; {self.validation.line()}; {scored}"


def fill(connect: Connect, day: date, *, backfill: bool) -> DayReport:
    """Fills a UTC day as far as it has passed. Doing it again changes nothing.

    Args:
        connect: opens a connection.
        day: the UTC day.
        backfill: somebody asked for it, so sets in use get rows before their creation too.
    """
    start = datetime.combine(day, time(), tzinfo=UTC)
    analysis = analyse_day(connect, start)
    # max_age is a day at most: a result of the day before may still count.
    validation = _validate(connect, start - timedelta(days=1), start + timedelta(days=1))
    with connect() as connection:
        decision = fill_day(connection, start, backfill=backfill)
    return DayReport(day, analysis, validation, decision)


def _validate(connect: Connect, since: datetime, until: datetime) -> ValidationReport:
    try:
        return validate_span(connect, since, until)
    except DatabaseUnavailableError:
        raise
    except Exception as error:  # what is not validated does not count: the day is scored without it
        log.exception("validation failed")
        return ValidationReport(failures=[f"validation: {type(error).__name__}: {error}"])
