from __future__ import annotations

from pathlib import Path

import psycopg.conninfo
import pytest
from sqlalchemy.engine import make_url

from sos_ops.settings import Settings
from sos_ops.stack.airflow_config import airflow_environment
from sos_ops.stack.programs import program_environment
from sos_ops.stack.secrets import airflow_database_url, database_url

HARD = "p@s:w/o%r#d$x&?' é"


def with_password(password: str, url: str = "postgresql://sos@db:5432/sos?sslmode=require") -> Settings:
    return Settings.model_validate({"database_url": url, "database_password": password})


def test_a_password_given_apart_needs_no_quoting() -> None:
    settings = with_password(HARD)
    assert psycopg.conninfo.conninfo_to_dict(database_url(settings))["password"] == HARD
    assert make_url(airflow_database_url(settings, {})).password == HARD
    assert database_url(settings).endswith("@db:5432/sos?sslmode=require")


def test_a_password_in_the_url_wins() -> None:
    settings = with_password("other", "postgresql://sos:kept@db/sos")
    assert database_url(settings) == "postgresql://sos:kept@db/sos"


@pytest.mark.parametrize("password", [HARD, ""])
def test_an_empty_password_is_none(password: str) -> None:
    parts = psycopg.conninfo.conninfo_to_dict(database_url(with_password(password)))
    assert parts.get("password", "") == password


def test_the_password_does_not_show() -> None:
    assert "secret-one" not in repr(with_password("secret-one").database_password)


def test_a_program_finds_the_whole_url(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = program_environment(with_password(HARD), "dashboard", {})
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert database_url(Settings()) == database_url(with_password(HARD))


def test_everything_listens_and_looks_on_this_machine_alone_by_default() -> None:
    fields = Settings.model_fields
    assert {fields[name].default for name in ("bind", "airflow_host", "modbus_host")} == {"127.0.0.1"}


def test_in_containers_programs_listen_openly_and_reach_each_other_by_name(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {
            "home": tmp_path,
            "database_url": "postgresql://sos:x@db/sos",
            "bind": "0.0.0.0",  # noqa: S104  # a container's
            "airflow_host": "airflow-api-server",
            "airflow_port": 8099,
        }
    )
    page = program_environment(settings, "dashboard", {"no_proxy": "internal"})
    airflow = airflow_environment(settings, {})
    assert airflow["AIRFLOW__API__HOST"] == "0.0.0.0"  # noqa: S104
    assert airflow["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://airflow-api-server:8099/execution/"
    assert airflow["AIRFLOW__API__BASE_URL"] == "http://127.0.0.1:8099"
    assert page["no_proxy"].split(",") == ["internal", "127.0.0.1", "localhost", "airflow-api-server"]
