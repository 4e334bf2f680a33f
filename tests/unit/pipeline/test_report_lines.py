"""The one line that each step leaves for the person on call."""

from __future__ import annotations

from datetime import UTC, date, datetime

from sos_ops.pipeline.analyse import AnalysisReport
from sos_ops.pipeline.history import DayReport
from sos_ops.pipeline.keep_house import LateReport
from sos_ops.pipeline.poll_report import PollReport
from sos_ops.pipeline.score import Decision, Worst
from sos_ops.pipeline.validate import ValidationReport
from sos_ops.safety.bands import Band

MINUTE = datetime(2026, 3, 1, 12, 34, tzinfo=UTC)


def test_a_poll_names_every_device_that_was_not_read_and_why() -> None:
    report = PollReport(MINUTE, 3, ("rack-2: 1 of 2 blocks not read",), ("rack-3: refused",), 2, 40, 5)
    assert report.line() == (
        "2026-03-01 12:34 UTC: 3 of 5 devices read, 40 readings; 2 had been read before; "
        "5 missed device minutes closed; partial: rack-2: 1 of 2 blocks not read; failed: rack-3: refused"
    )
    assert not report.nothing_read


def test_a_poll_in_which_no_device_answered_read_nothing() -> None:
    assert PollReport(MINUTE, 0, (), ("rack: refused",), 0, 0, 0).nothing_read
    assert not PollReport(MINUTE, 0, (), (), 4, 0, 0).nothing_read


def test_a_poll_without_database_says_what_is_kept_and_how_much_waits() -> None:
    report = PollReport(
        MINUTE, 3, (), (), 0, 0, 0, database_away="PostgreSQL does not answer", kept=3, waiting=12
    )
    assert report.line() == (
        "2026-03-01 12:34 UTC: database away: 3 devices read and kept in the buffer (12 minutes waiting); "
        "PostgreSQL does not answer"
    )


def test_a_poll_tells_what_is_left_to_the_slow_lane_and_is_not_empty_for_it() -> None:
    report = PollReport(MINUTE, 0, (), ("rack: refused",), 0, 0, 0, slow_gateways=1, unfinished=("slow-1",))
    assert "left to the slow lane: slow-1" in report.line()
    assert not report.nothing_read


def test_a_poll_tells_what_came_back_from_the_buffer_and_what_a_person_should_look_at() -> None:
    report = PollReport(
        MINUTE, 1, (), (), 0, 13, 0, drained=12, waiting=3, problems=("x.poll set aside: it is torn",)
    )
    assert report.line() == (
        "2026-03-01 12:34 UTC: 1 of 1 devices read, 13 readings; 3 minutes wait in the buffer; "
        "12 batches stored from the buffer; x.poll set aside: it is torn"
    )


def test_an_analysis_names_what_was_withheld_and_what_failed() -> None:
    report = AnalysisReport(2, 3, 4, ["over_temp: missing"], ["engine x: boom"])
    assert report.line() == (
        "4 results of 2 engines over 3 minutes; withheld: over_temp: missing; failed: engine x: boom"
    )


def test_a_decision_names_the_bands_and_the_worst_set() -> None:
    bands = {Band.SAFE: 1, Band.WARNING: 2, Band.CRITICAL: 0, Band.UNKNOWN: 1}
    decision = Decision(MINUTE, 6, 10, 1, 3, 1, bands, Worst(7, 0.7029, False, "over_temp"))
    assert decision.line() == (
        "2026-03-01 12:34 UTC: 3 sets complete, 1 incomplete (1 safe, 2 warning, 1 unknown); "
        "worst: set 7 at most 0.703 by over_temp; 6 minutes decided, 10 rows written, 1 revised"
    )


def test_a_decision_about_no_sets_says_so() -> None:
    assert "(no sets); 1 minutes decided" in Decision(MINUTE, 1, 0, 0, 0, 0).line()


def test_a_day_that_has_not_begun_says_so() -> None:
    line = DayReport(date(2026, 3, 2), AnalysisReport(1), ValidationReport(), None).line()
    assert line.startswith("2026-03-02: 0 results of 1 engines")
    assert line.endswith("the day has not begun, nothing to decide")


def test_housekeeping_counts_what_late_results_changed() -> None:
    assert LateReport(1, 63, 4).line() == "1 spans with late results, 63 minutes decided again, 4 revised"
