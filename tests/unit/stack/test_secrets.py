from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from sos_ops.errors import InvalidConfigurationError
from sos_ops.stack.layout import layout
from sos_ops.stack.secrets import airflow_database_url, database_url, load_or_create

from .conftest import MakeSettings


def test_secrets_are_for_the_owner_only(make_settings: MakeSettings) -> None:
    settings = make_settings()
    load_or_create(settings)
    assert stat.S_IMODE(layout(settings).secrets.stat().st_mode) == 0o600


def test_the_second_start_finds_the_secrets_of_the_first(make_settings: MakeSettings) -> None:
    assert load_or_create(make_settings()) == load_or_create(make_settings())


def test_two_homes_have_different_secrets(make_settings: MakeSettings) -> None:
    settings = make_settings()
    other = make_settings(home=settings.home / "other")
    assert load_or_create(settings).postgres_password != load_or_create(other).postgres_password


def test_starts_at_the_same_moment_agree_on_the_secrets(make_settings: MakeSettings) -> None:
    settings = make_settings()
    with ThreadPoolExecutor(16) as pool:
        found = set(pool.map(lambda _: load_or_create(settings), range(64)))
    assert len(found) == 1
    assert [path.name for path in settings.home.iterdir()] == ["secrets.json"]


def test_secrets_do_not_show_in_a_log(make_settings: MakeSettings) -> None:
    secrets = load_or_create(make_settings())
    assert secrets.postgres_password not in repr(secrets)


@pytest.mark.parametrize("text", ["", "{", "{}", "[]", '{"postgres_password": "x"}'])
def test_damaged_secrets_are_refused_and_kept(make_settings: MakeSettings, text: str) -> None:
    settings = make_settings()
    settings.home.mkdir()
    layout(settings).secrets.write_text(text)
    with pytest.raises(InvalidConfigurationError, match="restore it from a backup"):
        load_or_create(settings)
    assert layout(settings).secrets.read_text() == text


def test_the_embedded_server_is_reached_by_tcp_with_a_password(make_settings: MakeSettings) -> None:
    settings = make_settings(postgres_port=15999)
    secrets = load_or_create(settings)
    assert database_url(settings) == f"postgresql://sos:{secrets.postgres_password}@127.0.0.1:15999/sos"
    assert airflow_database_url(settings, {}) == (
        f"postgresql+psycopg2://airflow:{secrets.airflow_database_password}@127.0.0.1:15999/airflow"
    )


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_an_own_server_is_used_as_it_was_named(make_settings: MakeSettings, scheme: str) -> None:
    settings = make_settings(
        database_url=f"{scheme}://me:p%40ss%2Fw%25@db.example:6432/plant?sslmode=require"
    )
    assert database_url(settings) == "postgresql://me:p%40ss%2Fw%25@db.example:6432/plant?sslmode=require"
    assert not layout(settings).secrets.exists()


def test_airflow_gets_its_own_database_on_an_own_server(make_settings: MakeSettings) -> None:
    settings = make_settings(database_url="postgresql://me:p%40ss@db.example/plant?sslmode=require")
    expected = "postgresql+psycopg2://me:p%40ss@db.example:5432/airflow?sslmode=require"
    assert airflow_database_url(settings, {}).replace("example/", "example:5432/") == expected


def test_airflows_own_setting_of_its_database_wins(make_settings: MakeSettings) -> None:
    environ = {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////tmp/airflow.db"}
    assert airflow_database_url(make_settings(), environ) == "sqlite:////tmp/airflow.db"
