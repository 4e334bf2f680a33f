"""The bodies of the DAGs' tasks: each runs one step of `sos_ops.pipeline` and ends with one line of result."""

from __future__ import annotations

import logging
from datetime import date, datetime, timedelta
from typing import Any

from sos_ops.errors import SosOpsError
from sos_ops.hooks.database import task_connection
from sos_ops.settings import get_settings

log = logging.getLogger(__name__)

SCHEDULED = "scheduled"


def run_engines() -> str:
    """Runs every engine over readings it has not analysed yet; fails when an engine failed."""
    from sos_ops.pipeline.analyse import analyse_new_readings

    report = analyse_new_readings(task_connection)
    return _line(report.line(), failed=bool(report.failures))


def validate_results() -> str:
    """Decides which results count, and judges partners' wishes for another threshold.

    Fails when a suite is broken, after deciding what the others can.
    """
    from sos_ops.pipeline.validate import validate_new
    from sos_ops.pipeline.warning_requests import judge_requests

    report = validate_new(task_connection)
    wishes = judge_requests(task_connection)
    line = report.line() + (f"; {wishes.line()}" if wishes.asked or wishes.postponed else "")
    return _line(line, failed=bool(report.failures))


def score_sets() -> str:
    """Decides the minute that has come, revises the last five, closes those missed."""
    from sos_ops.pipeline.score import close_minutes

    line = ""
    with task_connection() as connection:
        for decision in close_minutes(connection):
            log.info("%s", decision.line())
            line = line or decision.line()
    return line


def days_of_run(logical_date: datetime, run_type: str) -> list[date]:
    """The days a run of `sos_history` fills: its own, and when scheduled at midnight the one that just ended."""
    day = logical_date.date()
    return [day - timedelta(days=1), day] if run_type == SCHEDULED else [day]


def fill_history(context: dict[str, Any]) -> str:
    """Fills the days of the run; fails when an engine or a suite failed over them, after scoring what there is."""
    from sos_ops.pipeline.history import fill

    run = context["dag_run"]
    run_type = str(getattr(run.run_type, "value", run.run_type))
    lines: list[str] = []
    failures: list[str] = []
    for day in days_of_run(run.logical_date or run.run_after, run_type):
        report = fill(task_connection, day, backfill=run_type != SCHEDULED)
        log.info("%s", report.line())
        lines.append(report.line())
        failures += report.failures
    return _line(" | ".join(lines), failed=bool(failures))


def redo_late_minutes() -> str:
    """Decides again the minutes whose results came more than five minutes late."""
    from sos_ops.pipeline.keep_house import redo_late_minutes as redo

    return _line(redo(task_connection).line())


def drop_old_raw_registers() -> str:
    """Drops raw registers older than `SOS_RAW_DAYS`."""
    from sos_ops.pipeline.keep_house import drop_old_raw_registers as drop

    return _line(drop(task_connection, get_settings().raw_days))


def prepare_days() -> str:
    """Makes the partitions of the next days."""
    from sos_ops.pipeline.keep_house import prepare_days as prepare

    return _line(prepare(task_connection))


def report_validation() -> str:
    """Builds the Data Docs when they are an hour old or validation failed; forgets old findings."""
    from sos_ops.pipeline.data_docs import report_validation as report
    from sos_ops.settings import get_settings
    from sos_ops.stack.layout import layout

    return _line(report(task_connection, layout(get_settings()).data_docs))


def measure_partners() -> str:
    """Measures how partners deliver, over the last hour and day."""
    from sos_ops.pipeline.partner_health import measure_partners as measure

    return _line(measure(task_connection))


def end_long_partner_sessions() -> str:
    """Ends partners' sessions whose transaction stays open too long."""
    from sos_ops.pipeline.partner_health import end_long_partner_sessions as end

    return _line(end(task_connection))


def _line(line: str, *, failed: bool = False) -> str:
    if failed:
        raise SosOpsError(line)
    log.info("%s", line)
    return line
