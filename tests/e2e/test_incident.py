"""From `make up` to an overheat explained, and to data lost that never looks safe."""

from __future__ import annotations

import json
import urllib.error
from datetime import timedelta

import pytest

from tests.support.stack import RunningStack, wait_for

pytestmark = pytest.mark.timeout(600)


def test_sos_is_there_within_four_minutes_of_the_start(healthy: RunningStack) -> None:
    wait_for(lambda: (row := healthy.newest()) and row["value"] is not None, "a first SoS", 240)
    decided, known, tags = healthy.query(
        "select decided_at, known, tags from sos_ops.sos where set_id = 1 and value is not null order by 1 limit 1"
    )[0]
    # Before the tests speed the clock up, it is the machine's.
    assert decided - healthy.started_at < timedelta(minutes=4)
    assert known == tags == 4


def test_airflow_asks_for_a_login(stack: RunningStack) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        stack._call("GET", "/api/v2/dags", None, {})
    assert refused.value.code == 401
    assert {d["dag_id"] for d in stack.airflow("GET", "/dags")["dags"]} == {
        "sos_minute",
        "sos_history",
        "housekeeping",
    }


def test_in_overheat_sos_falls_below_warning_past_50_degrees_and_explain_names_over_temp(
    healthy: RunningStack,
) -> None:
    with healthy.sped_up(10):
        minute = wait_for(lambda: _first_hot_minute(healthy), "a minute at 50 degC or more", 150)
    found = json.loads(healthy.run("explain", "1", minute.isoformat(), "--json").stdout)
    assert found["value"] < 0.8
    assert found["band"] == "warning"
    assert found["limiting_tag"] == "over_temp"
    hot = next(part for part in found["parts"] if part["tag"] == "over_temp")
    assert hot["value"] >= 50
    assert hot["share"] > 0.9
    assert "over_temp" in healthy.run("explain", "1", minute.isoformat()).stdout


def _first_hot_minute(stack: RunningStack):  # type: ignore[no-untyped-def]
    rows = stack.query(
        "select s.minute from sos_ops.sos s join sos_ops.tag_score f using (minute) "
        "join sos_ops.tag t using (tag_id) where t.tag = 'over_temp' and f.value > 50 and s.set_id = 1 "
        "and s.value is not null order by 1 limit 1"
    )
    return rows[0][0] if rows else None


def test_a_bms_off_the_line_turns_the_set_unknown_within_four_minutes_and_back(healthy: RunningStack) -> None:
    with healthy.sped_up(10):
        healthy.run("demo", "bms", "stop")
        stopped = healthy.now()
        row = wait_for(
            lambda: (row := healthy.newest()) and row["value"] is None and row["known"] == 0 and row,
            "an unknown minute",
            60,
        )
        assert row["minute"] - stopped <= timedelta(minutes=4)
        assert row["band"] == "U"
        explained = json.loads(healthy.run("explain", "1", row["minute"].isoformat(), "--json").stdout)
        assert all(part["missing_reason"] == "stale" for part in explained["parts"])
        assert "demo-rack" in explained["parts"][0]["missing_detail"]
        assert "unknown" in healthy.run("status").stdout
        healthy.run("demo", "bms", "start")
        wait_for(lambda: (row := healthy.newest()) and row["value"] is not None, "SoS again", 60)


def test_the_run_of_a_minute_without_any_device_is_red_and_names_it(healthy: RunningStack) -> None:
    runs = healthy.airflow("GET", "/dags/sos_minute/dagRuns?state=failed&order_by=-run_after&limit=50")[
        "dag_runs"
    ]
    assert runs, "the minutes without the BMS must not look green"
    states = {
        t["task_id"]: t["state"]
        for t in healthy.airflow("GET", f"/dags/sos_minute/dagRuns/{runs[0]['dag_run_id']}/taskInstances")[
            "task_instances"
        ]
    }
    assert states == {
        "poll_devices": "failed",
        "run_engines": "success",
        "validate_results": "success",
        "score_sets": "success",
        "fail_the_run": "failed",
        "poll_slow_devices": "skipped",
    }
