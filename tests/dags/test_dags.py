"""Every DAG parses, is explained, and is wired so that a failure neither stops nor hides anything."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sos_ops.operators.poll import PollDevicesOperator, PollSharedBusOperator, PollSlowDevicesOperator
from sos_ops.settings import CHECKOUT, get_settings

EXPECTED = {"sos_minute", "sos_history", "housekeeping"}


BUSES = "10.0.0.5:502,gw-2.local:1502"


def parsed(home: Path) -> dict[str, Any]:
    """The DAGs as Airflow parses them now, in an AIRFLOW_HOME of its own."""
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(CHECKOUT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
    }
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(dag_folder=str(CHECKOUT / "dags"))
    assert bag.import_errors == {}
    return dict(bag.dags)


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The DAGs of a platform without shared buses."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SOS_SHARED_BUSES", raising=False)
        get_settings.cache_clear()
        return parsed(tmp_path_factory.mktemp("airflow"))


@pytest.fixture
def with_buses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The DAGs of a platform with two shared buses."""
    monkeypatch.setenv("SOS_SHARED_BUSES", BUSES)
    get_settings.cache_clear()
    yield parsed(tmp_path)
    get_settings.cache_clear()


def test_the_dags_are_these_and_all_parse(dags: dict[str, Any]) -> None:
    assert set(dags) == EXPECTED


@pytest.mark.parametrize("dag_id", sorted(EXPECTED))
def test_a_dag_explains_itself(dags: dict[str, Any], dag_id: str) -> None:
    dag = dags[dag_id]
    assert dag.doc_md
    for task in dag.tasks:
        assert task.task_id in dag.doc_md or len(dag.tasks) == 1, f"{task.task_id} is not explained"


@pytest.mark.parametrize(
    "words",
    [
        "partial",
        "in quarantine",
        "left to the slow lane",
        "database away",
        "kept in the buffer",
        "poll_bus_...",
        "set aside",
    ],
)
def test_the_minutes_page_says_what_the_line_of_a_poll_means(dags: dict[str, Any], words: str) -> None:
    assert words in dags["sos_minute"].doc_md


@pytest.mark.parametrize("dag_id", sorted(EXPECTED))
def test_every_task_has_a_time_limit_and_no_dag_catches_up(dags: dict[str, Any], dag_id: str) -> None:
    assert not dags[dag_id].catchup
    for task in dags[dag_id].tasks:
        assert task.execution_timeout is not None, task.task_id


def test_a_failed_step_of_the_minute_stops_no_later_one_and_makes_the_run_red(dags: dict[str, Any]) -> None:
    dag = dags["sos_minute"]
    order = [task.task_id for task in dag.topological_sort()]
    assert [step for step in order if step != "poll_slow_devices"] == [
        "poll_devices", "run_engines", "validate_results", "score_sets", "fail_the_run",
    ]  # fmt: skip
    for name in ("run_engines", "validate_results", "score_sets", "poll_slow_devices"):
        assert dag.get_task(name).trigger_rule == "all_done"
    verdict = dag.get_task("fail_the_run")
    assert verdict.trigger_rule == "one_failed"
    assert verdict.upstream_task_ids == {
        "poll_devices", "run_engines", "validate_results", "score_sets", "poll_slow_devices",
    }  # fmt: skip
    assert dag.leaves == [verdict]


def test_no_step_of_the_minute_waits_for_slow_gateways_or_shared_buses(with_buses: dict[str, Any]) -> None:
    dag = with_buses["sos_minute"]
    assert dag.get_task("run_engines").upstream_task_ids == {"poll_devices"}
    assert dag.get_task("validate_results").upstream_task_ids == {"run_engines"}
    assert dag.get_task("score_sets").upstream_task_ids == {"validate_results"}
    assert dag.get_task("poll_slow_devices").upstream_task_ids == {"poll_devices"}


def test_the_quick_lane_knows_the_task_that_it_skips(dags: dict[str, Any]) -> None:
    dag = dags["sos_minute"]
    quick = dag.get_task("poll_devices")
    assert isinstance(quick, PollDevicesOperator)
    assert isinstance(dag.get_task(quick.slow_lane), PollSlowDevicesOperator)
    assert quick.slow_lane in quick.downstream_task_ids


def test_each_shared_bus_is_polled_in_its_own_pool_beside_the_chain(with_buses: dict[str, Any]) -> None:
    dag = with_buses["sos_minute"]
    buses = [task for task in dag.tasks if isinstance(task, PollSharedBusOperator)]
    assert [(task.task_id, task.pool, task.host, task.port) for task in buses] == [
        ("poll_bus_10_0_0_5_502", "modbus_10_0_0_5_502", "10.0.0.5", 502),
        ("poll_bus_gw_2_local_1502", "modbus_gw_2_local_1502", "gw-2.local", 1502),
    ]
    for task in buses:
        assert task.upstream_task_ids == set()
        assert task.downstream_task_ids == {"fail_the_run"}


def test_late_lanes_have_time_until_50_s_after_the_minute_and_end_within_the_run(
    with_buses: dict[str, Any],
) -> None:
    dag = with_buses["sos_minute"]
    late = [task for task in dag.tasks if isinstance(task, PollSlowDevicesOperator | PollSharedBusOperator)]
    assert len(late) == 3
    for task in late:
        assert timedelta(seconds=50) < task.execution_timeout < dag.dagrun_timeout
        assert task.retries == 0


def test_minutes_are_never_replayed_by_a_backfill(dags: dict[str, Any]) -> None:
    assert {str(t.value) for t in dags["sos_minute"].allowed_run_types} == {"scheduled", "manual"}


def test_one_minute_runs_at_a_time_and_a_hanging_run_ends_before_the_next(dags: dict[str, Any]) -> None:
    dag = dags["sos_minute"]
    assert dag.max_active_runs == 1
    assert dag.dagrun_timeout.total_seconds() < 60


@pytest.mark.parametrize("name", sorted(p.name for p in (CHECKOUT / "dags").glob("*.py")))
def test_a_dag_file_imports_nothing_heavy(name: str) -> None:
    """Every task process parses its DAG file: what is heavy is imported where it is used."""
    code = (
        "import sys, runpy; runpy.run_path(sys.argv[1]);"
        "heavy = {'pandas', 'pymodbus', 'dash', 'plotly', 'great_expectations'} & set(sys.modules);"
        "sys.exit(f'imports {heavy}' if heavy else 0)"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", code, str(CHECKOUT / "dags" / name)],
        capture_output=True,
        text=True,
        env=os.environ,
    )
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    "path", sorted((CHECKOUT / "dags").glob("*.py"), key=lambda p: p.name), ids=lambda p: p.name
)
def test_a_dag_file_only_wires(path: Path) -> None:
    assert len(path.read_text().splitlines()) < 100
