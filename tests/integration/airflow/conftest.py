"""Airflow as a task sees it: a home of the test's own, connections from the environment."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sos_ops.settings import get_settings
from sos_ops.stack.airflow_config import CONNECTION_VARIABLE, postgres_connection
from tests.support.database import Database

Connect = Callable[..., None]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Connect:
    """Names the connection `bms_a`: `connect(host=..., port=..., extra={...})`."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.delenv(CONNECTION_VARIABLE, raising=False)

    def name(**fields: object) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_BMS_A", json.dumps({"conn_type": "modbus", **fields}))

    return name


@pytest.fixture
def platform(
    connect: Connect, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[Database]:
    """The platform's database, at its connection `sos_postgres`, and a `SOS_HOME` of this test's own."""
    monkeypatch.setenv(CONNECTION_VARIABLE, postgres_connection(database.url))
    monkeypatch.setenv("SOS_HOME", str(tmp_path / "sos"))
    get_settings.cache_clear()
    yield database
    get_settings.cache_clear()
