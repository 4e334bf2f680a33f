"""A run of a DAG from its file, by the real Airflow, in a process and with a metadata database of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sos_ops.settings import CHECKOUT

RUN = """
import json, sys
from airflow.utils.db import initdb
initdb()
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(dag_folder=sys.argv[1])
assert not bag.import_errors, bag.import_errors
run = bag.dags[sys.argv[2]].test()
tasks = run.get_task_instances()
print("RESULT " + json.dumps({
    "run": str(run.state),
    "tasks": {task.task_id: str(task.state) for task in tasks},
    "xcoms": {task.task_id: task.xcom_pull(task_ids=task.task_id) for task in tasks},
}))
"""


@dataclass(frozen=True)
class DagRun:
    """How a run ended: its state, and each task's state and return value."""

    run: str
    tasks: dict[str, str]
    xcoms: dict[str, Any]
    output: str


def run_dag(folder: Path, dags: Path, dag_id: str, environment: Mapping[str, str]) -> DagRun:
    """Runs a DAG once, to its end.

    Args:
        folder: for Airflow's home.
        dags: the folder that holds the DAG's file.
        dag_id: which DAG.
        environment: what is set besides, such as connections.
    """
    own = {
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(CHECKOUT / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
    }
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(dags), dag_id],
        env={**os.environ, **own, **environment},
        capture_output=True,
        text=True,
        timeout=250,
    )
    output = done.stdout + done.stderr
    results = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    assert results, output
    return DagRun(**json.loads(results[-1].removeprefix("RESULT ")), output=output)
