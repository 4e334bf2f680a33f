from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sos_ops.stack import watchdog
from sos_ops.stack.health import AirflowHealth
from sos_ops.stack.watchdog import Watchdog, failing_programs

from .conftest import MakeSettings

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PATIENCE = timedelta(seconds=90)


class Bench:
    """A watchdog over programs that exist only here."""

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.uptimes = {"airflow-scheduler": timedelta(hours=1), "dashboard": timedelta(hours=1)}
        self.restarted: list[str] = []
        self.watchdog = Watchdog(
            lambda _: self.failing, lambda: self.uptimes, self.restarted.append, PATIENCE
        )

    def turn_at(self, second: int) -> None:
        self.watchdog.turn(NOON + timedelta(seconds=second))


def test_a_program_that_does_not_work_for_the_whole_patience_is_restarted_once() -> None:
    bench = Bench()
    bench.failing = {"airflow-scheduler"}
    for second in range(0, 101, 10):
        bench.turn_at(second)
    assert bench.restarted == ["airflow-scheduler"]


def test_a_program_that_works_again_in_between_is_left_alone() -> None:
    bench = Bench()
    for second in range(0, 200, 10):
        bench.failing = set() if second == 80 else {"dashboard"}
        bench.turn_at(second)
        if second < 170:
            assert bench.restarted == []
    assert bench.restarted == ["dashboard"]


def test_a_program_that_has_just_been_started_is_given_its_time() -> None:
    bench = Bench()
    bench.failing = {"airflow-scheduler"}
    bench.uptimes["airflow-scheduler"] = timedelta(seconds=20)
    bench.turn_at(0)
    bench.turn_at(100)
    assert bench.restarted == []


def test_a_program_that_was_stopped_by_a_person_stays_stopped() -> None:
    bench = Bench()
    bench.failing = {"bms"}
    bench.turn_at(0)
    bench.turn_at(1000)
    assert bench.restarted == []


@pytest.mark.parametrize(
    ("database", "scheduler_age_s", "processor_age_s", "stuck", "expected"),
    [
        (True, 3, 3, False, set()),
        (True, 300, 3, False, {"airflow-scheduler"}),
        (True, None, 3, False, {"airflow-scheduler"}),
        (True, 3, 300, False, {"airflow-dag-processor"}),
        (True, 3, 3, True, {"airflow-scheduler"}),
        (False, 300, 300, True, set()),
    ],
)
def test_what_is_failing_follows_from_airflows_report(
    make_settings: MakeSettings,
    monkeypatch: pytest.MonkeyPatch,
    database: bool,
    scheduler_age_s: int | None,
    processor_age_s: int,
    stuck: bool,
    expected: set[str],
) -> None:
    beat = None if scheduler_age_s is None else NOON - timedelta(seconds=scheduler_age_s)
    health = AirflowHealth(database, beat, NOON - timedelta(seconds=processor_age_s))
    monkeypatch.setattr(watchdog, "airflow_health", lambda _: health)
    monkeypatch.setattr(watchdog, "page_status", lambda _: 503)
    monkeypatch.setattr(watchdog, "tasks_are_stuck", lambda _: stuck)
    assert failing_programs(make_settings(), NOON) == expected


def test_pages_that_do_not_answer_at_all_are_failing(make_settings: MakeSettings) -> None:
    settings = make_settings(dashboard_port=1, airflow_port=1)  # nothing listens there
    assert failing_programs(settings, NOON) == {"dashboard", "airflow-api-server"}
