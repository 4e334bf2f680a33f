from __future__ import annotations

import configparser
import importlib.util
import json
from pathlib import Path

import pytest
import yaml

from sos_ops.settings import CHECKOUT, Settings
from sos_ops.stack.airflow_config import airflow_environment, postgres_connection, write_airflow_files
from sos_ops.stack.layout import layout
from sos_ops.stack.secrets import load_or_create

from .conftest import MakeSettings

URL = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


def known_settings() -> set[str]:
    spec = importlib.util.find_spec("airflow")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    path = Path(spec.submodule_search_locations[0]) / "config_templates" / "config.yml"
    sections = yaml.safe_load(path.read_text())
    return {
        f"AIRFLOW__{section}__{option}".upper()
        for section, content in sections.items()
        for option in content["options"]
    }


def test_every_setting_is_one_that_this_airflow_knows(make_settings: MakeSettings) -> None:
    # Set by the simple auth manager and by SQLAlchemy's asynchronous engine, outside the template.
    undocumented = {f"{URL}_ASYNC"}
    used = {name for name in airflow_environment(make_settings(), {}) if name.startswith("AIRFLOW__")}
    assert used - known_settings() - undocumented == set()


def test_a_setting_of_the_caller_wins(make_settings: MakeSettings) -> None:
    environment = airflow_environment(make_settings(), {"AIRFLOW__CORE__PARALLELISM": "16"})
    assert environment["AIRFLOW__CORE__PARALLELISM"] == "16"


@pytest.mark.parametrize("name", ["AIRFLOW_HOME", "AIRFLOW__CORE__DAGS_FOLDER", "AIRFLOW__API__PORT"])
def test_another_airflow_of_the_caller_does_not_lead_the_stack_astray(
    make_settings: MakeSettings, name: str
) -> None:
    assert airflow_environment(make_settings(), {name: "elsewhere"})[name] != "elsewhere"


def test_state_stays_in_the_home_and_code_in_the_checkout(make_settings: MakeSettings) -> None:
    settings = make_settings()
    environment = airflow_environment(settings, {})
    assert environment["AIRFLOW_HOME"] == str(settings.home / "airflow")
    assert environment["AIRFLOW__CORE__DAGS_FOLDER"] == str(CHECKOUT / "dags")
    assert environment["AIRFLOW__CORE__PLUGINS_FOLDER"] == str(CHECKOUT / "plugins")


def test_a_dollar_in_a_password_is_not_expanded_by_airflow(make_settings: MakeSettings) -> None:
    settings = make_settings(database_url="postgresql://me:a$HOME@db/plant")
    assert airflow_environment(settings, {})[URL] == "postgresql+psycopg2://me:a%24HOME@db/airflow"


def test_the_asynchronous_engine_speaks_libpq_too(make_settings: MakeSettings) -> None:
    settings = make_settings(database_url="postgresql://me@db/plant?sslmode=require")
    expected = "postgresql+psycopg://me@db/airflow?sslmode=require"
    assert airflow_environment(settings, {})[f"{URL}_ASYNC"] == expected


def test_airflows_own_database_setting_is_left_alone(make_settings: MakeSettings) -> None:
    environment = airflow_environment(make_settings(), {URL: "mysql://elsewhere"})
    assert environment.keys().isdisjoint({URL, f"{URL}_ASYNC"})


def test_the_connection_of_the_tasks_needs_no_quoting() -> None:
    connection = json.loads(postgres_connection("postgresql://me:p%40ss%2F%25@db:6432/plant?sslmode=require"))
    assert connection == {
        "conn_type": "postgres",
        "host": "db",
        "port": 6432,
        "login": "me",
        "password": "p@ss/%",
        "schema": "plant",
        "extra": {"sslmode": "require"},
    }


def test_there_is_a_login_with_a_password(make_settings: MakeSettings) -> None:
    settings = make_settings()
    layout(settings).create()
    write_airflow_files(settings)
    environment = airflow_environment(settings, {})
    passwords = Path(environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
    assert json.loads(passwords.read_text()) == {"admin": load_or_create(settings).airflow_admin_password}
    assert passwords.stat().st_mode & 0o077 == 0
    assert environment["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] == "admin:admin"


def test_a_bare_airflow_in_its_home_reads_the_settings_of_the_stack(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path / "a%b")
    layout(settings).create()
    write_airflow_files(settings)
    path = layout(settings).airflow / "airflow.cfg"
    parser = configparser.ConfigParser()
    parser.read(path)
    environment = airflow_environment(settings)
    assert parser["database"]["sql_alchemy_conn"] == environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]
    assert parser["core"]["dags_folder"] == environment["AIRFLOW__CORE__DAGS_FOLDER"]
    assert parser["logging"]["base_log_folder"].endswith("a%b/airflow/logs")
    assert path.stat().st_mode & 0o077 == 0
