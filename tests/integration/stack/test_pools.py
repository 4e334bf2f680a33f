"""The pools of shared buses, in a real Airflow's metadata."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from sos_ops.errors import SosOpsError
from sos_ops.settings import Settings
from sos_ops.stack.airflow_config import airflow_environment, write_airflow_files
from sos_ops.stack.databases import ensure_embedded_databases
from sos_ops.stack.layout import layout
from sos_ops.stack.pools import ensure_pools
from sos_ops.stack.secrets import AIRFLOW_URL_VARIABLE

from .conftest import Server

BUSES = "10.0.0.5:502,gw-2:1502"
POOLS = ["modbus_10_0_0_5_502", "modbus_gw_2_1502"]


class Airflow:
    """An Airflow with tables and nothing else."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(home=folder / "home", database_url=None, shared_buses=BUSES)
        self._file = folder / "airflow.db"
        layout(self.settings).create()
        write_airflow_files(self.settings)
        own = {AIRFLOW_URL_VARIABLE: f"sqlite:///{self._file}"}
        self.environment = {**os.environ, **airflow_environment(self.settings), **own}
        self.environment.pop(f"{AIRFLOW_URL_VARIABLE}_ASYNC", None)

    def migrate(self) -> None:
        command = [sys.executable, "-m", "airflow", "db", "migrate"]
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=200)

    def pools(self) -> dict[str, int]:
        with closing(sqlite3.connect(self._file)) as connection:
            return dict(connection.execute("select pool, slots from slot_pool"))

    def run(self, statement: str, *parameters: object) -> None:
        with closing(sqlite3.connect(self._file)) as connection, connection:
            connection.execute(statement, parameters)


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> Airflow:
    made = Airflow(tmp_path_factory.mktemp("airflow"))
    made.migrate()
    return made


def test_every_bus_gets_a_pool_of_one_slot_and_what_a_person_changed_stays(airflow: Airflow) -> None:
    ensure_pools(airflow.settings, airflow.environment)
    assert {name: airflow.pools()[name] for name in POOLS} == dict.fromkeys(POOLS, 1)
    airflow.run("update slot_pool set slots = 0 where pool = ?", POOLS[0])
    airflow.run("insert into slot_pool (pool, slots, include_deferred) values ('modbus_of_another', 1, 0)")
    ensure_pools(airflow.settings, airflow.environment)
    assert airflow.pools() == {"default_pool": 128, POOLS[0]: 0, POOLS[1]: 1, "modbus_of_another": 1}


def test_without_shared_buses_airflow_is_not_even_started(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=None)
    assert ensure_pools(settings, {AIRFLOW_URL_VARIABLE: "sqlite:////nowhere/airflow.db"}) == []


def test_pools_that_are_there_are_found_without_starting_airflow(server: Server) -> None:
    ensure_embedded_databases(server.settings)
    settings = server.settings.model_copy(update={"shared_buses": BUSES})
    environment = airflow_environment(settings, {})
    plain = environment[AIRFLOW_URL_VARIABLE].replace("+psycopg2", "")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("create table slot_pool (pool text)")
        connection.cursor().executemany("insert into slot_pool values (%s)", [(name,) for name in POOLS])
    assert ensure_pools(settings, environment) == []


def test_when_airflow_cannot_make_them_the_start_says_where_to_look(airflow: Airflow) -> None:
    broken = {**airflow.environment, AIRFLOW_URL_VARIABLE: "sqlite:////nowhere/airflow.db"}
    with pytest.raises(
        SosOpsError, match=r"the pools of the shared buses could not be made: see .*airflow-pools"
    ):
        ensure_pools(airflow.settings, broken)
