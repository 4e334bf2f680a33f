from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from bench.minute_latency import platform_environment, seconds_to_the_end
from sos_ops.settings import Settings

FIRST = datetime(2026, 11, 23, 10, 2, tzinfo=UTC)


def task(run_after: str, end_date: str | None, state: str = "success") -> dict[str, str | None]:
    return {"run_after": run_after, "end_date": end_date, "state": state}


def test_an_empty_task_is_timed_from_its_minute_mark_to_its_end() -> None:
    tasks = [
        task("2026-11-23T10:03:00Z", "2026-11-23T10:03:01.500000Z"),
        task("2026-11-23T10:02:00Z", "2026-11-23T10:02:00.700000Z"),
    ]
    assert seconds_to_the_end(tasks, FIRST) == [0.7, 1.5]


def test_minutes_of_warming_up_and_runs_that_did_not_succeed_do_not_count() -> None:
    tasks = [
        task("2026-11-23T10:01:00Z", "2026-11-23T10:01:30Z"),
        task("2026-11-23T10:02:00Z", "2026-11-23T10:02:09Z", "failed"),
        task("2026-11-23T10:03:00Z", None, "running"),
    ]
    assert seconds_to_the_end(tasks, FIRST) == []


def test_the_empty_dag_runs_beside_the_platforms_own_and_nothing_of_the_callers_gets_in(
    tmp_path: Path,
) -> None:
    settings = Settings(home=tmp_path, airflow_port=4711)
    environ = {
        "PATH": "/bin",
        "SOS_DATABASE_URL": "postgresql://elsewhere/x",
        "AIRFLOW__CORE__PARALLELISM": "1",
    }
    environment = platform_environment(settings, environ)
    bundles = json.loads(environment.pop("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST"))
    assert [bundle["name"] for bundle in bundles] == ["dags-folder", "bench"]
    assert [path.name for path in Path(bundles[1]["kwargs"]["path"]).glob("*.py")] == ["empty_minute.py"]
    assert {"SOS_DATABASE_URL", "AIRFLOW__CORE__PARALLELISM"}.isdisjoint(environment)
    assert environment["SOS_HOME"] == str(tmp_path)
    assert environment["SOS_AIRFLOW_PORT"] == "4711"
    assert environment["PATH"] == "/bin"
