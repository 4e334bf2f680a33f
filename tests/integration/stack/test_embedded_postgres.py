from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
import pytest

from sos_ops.errors import DatabaseUnavailableError, SosOpsError
from sos_ops.settings import Settings
from sos_ops.stack.databases import ensure_airflow_database, ensure_embedded_databases
from sos_ops.stack.embedded_postgres import ensure_cluster, superuser_url, wait_until_ready
from sos_ops.stack.layout import layout
from sos_ops.stack.secrets import airflow_database_url, database_url

from .conftest import Server, wait_for


def rows(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query.encode())
        return cursor.fetchall() if cursor.description else []


def with_login(url: str, user: str, password: str | None, database: str | None = None) -> str:
    parts = urlsplit(url)
    login = user if password is None else f"{user}:{password}"
    host = f"{login}@{parts.hostname}:{parts.port}"
    return parts._replace(netloc=host, path=f"/{database}" if database else parts.path).geturl()


def test_a_wrong_password_is_refused(server: Server) -> None:
    url = with_login(superuser_url(server.settings), "sos", "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url)


def test_no_password_is_refused(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSFILE", os.devnull)
    with pytest.raises(psycopg.OperationalError, match="no password supplied"):
        psycopg.connect(with_login(superuser_url(server.settings), "sos", None))


def test_waiting_with_a_wrong_password_says_what_to_do_at_once(server: Server) -> None:
    url = with_login(superuser_url(server.settings), "sos", "wrong")
    with pytest.raises(DatabaseUnavailableError, match=r"restore SOS_HOME/secrets\.json"):
        wait_until_ready(url, deadline_s=600)


def test_every_way_in_is_by_scram(server: Server) -> None:
    found = rows(superuser_url(server.settings), "select distinct auth_method from pg_hba_file_rules")
    assert found == [("scram-sha-256",)]


def test_it_listens_on_this_machine_only_and_on_no_socket(server: Server) -> None:
    connections = psutil.Process(server.pid).net_connections("all")
    listening = {item.laddr for item in connections if item.status == psutil.CONN_LISTEN}
    assert listening == {("127.0.0.1", server.settings.postgres_port)}
    assert rows(superuser_url(server.settings), "show unix_socket_directories") == [("",)]


def test_the_server_never_runs_as_root(server: Server) -> None:
    assert psutil.Process(server.pid).uids().effective != 0


def test_the_data_are_closed_to_others(server: Server) -> None:
    assert stat.S_IMODE(layout(server.settings).postgres.stat().st_mode) == 0o700


def test_text_sorts_by_code_point_as_in_python(server: Server) -> None:
    words = ["b", "B", "a_", "a", "ä", "과열", "Z", "_", "busan/over_temp", "over_temp"]
    values = ", ".join(f"('{word}')" for word in words)
    found = rows(superuser_url(server.settings), f"select w from (values {values}) as t(w) order by w")  # noqa: S608
    assert [row[0] for row in found] == sorted(words)


def test_the_server_speaks_utc_and_utf8_and_checks_its_pages(server: Server) -> None:
    url = superuser_url(server.settings)
    names = ("timezone", "server_encoding", "data_checksums", "fsync", "synchronous_commit")
    assert [rows(url, f"show {name}")[0][0] for name in names] == ["UTC", "UTF8", "on", "on", "on"]


def test_databases_are_made_once_and_found_again(server: Server) -> None:
    ensure_embedded_databases(server.settings)
    rows(database_url(server.settings), "create table if not exists kept ()")
    ensure_embedded_databases(server.settings)
    assert rows(database_url(server.settings), "select from kept") == []
    airflow = airflow_database_url(server.settings, {}).replace("+psycopg2", "")
    assert rows(airflow, "select current_user::text, current_database()::text") == [("airflow", "airflow")]


def test_a_partner_gets_into_no_database_but_the_platforms(server: Server) -> None:
    ensure_embedded_databases(server.settings)
    url = superuser_url(server.settings)
    rows(url, "drop role if exists curious")
    rows(url, "create role curious login password 'x'")
    for name in ("airflow", "postgres", "template1"):
        with pytest.raises(psycopg.OperationalError, match="permission denied"):
            psycopg.connect(with_login(url, "curious", "x", name))


def test_what_was_committed_survives_a_killed_server(server: Server) -> None:
    url = superuser_url(server.settings)
    rows(url, "create table promise (kept int)")
    rows(url, "insert into promise values (42)")
    server.kill()
    server.start()
    assert rows(url, "table promise") == [(42,)]


def test_a_lock_left_by_a_process_number_that_is_now_anothers_does_not_keep_it_down(server: Server) -> None:
    server.stop()
    # As after a power cut: the file names a living process of the same account that is no PostgreSQL.
    uid = layout(server.settings).postgres.stat().st_uid
    stranger = subprocess.Popen(["sleep", "600"], user=uid, cwd="/")
    try:
        (layout(server.settings).postgres / "postmaster.pid").write_text(f"{stranger.pid}\n")
        server.start()
    finally:
        stranger.kill()
        stranger.wait()
    assert rows(superuser_url(server.settings), "select 1") == [(1,)]


def test_making_the_cluster_again_changes_nothing(server: Server) -> None:
    assert ensure_cluster(server.settings, notice=lambda _: None) is False


def test_data_of_another_version_are_refused_untouched(stack_settings: Settings) -> None:
    data = layout(stack_settings).postgres
    data.mkdir()
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(SosOpsError, match="of PostgreSQL 16, not 18"):
        ensure_cluster(stack_settings, notice=lambda _: None)
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]


def test_a_failed_making_leaves_nothing_behind(
    stack_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sos_ops.stack.embedded_postgres.SUPERUSER", "pg_reserved")  # initdb refuses it
    with pytest.raises(SosOpsError, match="initdb failed"):
        ensure_cluster(stack_settings, notice=lambda _: None)
    assert [path.name for path in stack_settings.home.iterdir() if "postgres" in path.name] == []


class OwnServer:
    """The running server as if it were somebody's own, with a role that may do little."""

    def __init__(self, server: Server) -> None:
        self._admin = superuser_url(server.settings)
        self._home = server.settings.home / "own"
        self.run("drop database if exists airflow")
        self.run("drop database if exists plant")
        self.run("drop role if exists engineer")
        self.run("create role engineer login password 'p@ss%'")
        self.run("create database plant owner engineer")

    def run(self, statement: str) -> None:
        rows(self._admin, statement)

    @property
    def settings(self) -> Settings:
        url = with_login(self._admin, "engineer", "p%40ss%25", "plant")
        return Settings(home=self._home, database_url=url)  # type: ignore[arg-type]


@pytest.fixture
def own_server(server: Server) -> Iterator[OwnServer]:
    own = OwnServer(server)
    yield own
    own.run("drop database if exists airflow")


def test_on_an_own_server_airflows_database_is_made_if_the_role_may(own_server: OwnServer) -> None:
    own_server.run("alter role engineer createdb")
    ensure_airflow_database(own_server.settings)
    ensure_airflow_database(own_server.settings)
    url = airflow_database_url(own_server.settings, {}).replace("+psycopg2", "")
    assert rows(url, "create table proof (); select 1 from proof") == []


def test_on_an_own_server_a_weak_role_is_told_what_its_administrator_must_do(own_server: OwnServer) -> None:
    with pytest.raises(SosOpsError, match="`create database airflow owner engineer`"):
        ensure_airflow_database(own_server.settings)


def test_on_an_own_server_a_database_of_somebody_else_is_noticed_before_airflow_fails(
    own_server: OwnServer,
) -> None:
    own_server.run("create database airflow")
    with pytest.raises(SosOpsError, match="`alter database airflow owner to engineer`"):
        ensure_airflow_database(own_server.settings)
    own_server.run("alter database airflow owner to engineer")
    ensure_airflow_database(own_server.settings)


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url="postgresql://me@127.0.0.1:1/plant")  # type: ignore[arg-type]
    with pytest.raises(DatabaseUnavailableError) as refusal:
        wait_until_ready(database_url(settings), deadline_s=0)
    assert "\n" not in str(refusal.value)


def test_the_backends_of_a_killed_server_are_gone_before_the_next_one_works(server: Server) -> None:
    with psycopg.connect(superuser_url(server.settings)) as connection:
        backend = connection.info.backend_pid
        server.kill()
        server.start()
        wait_for(lambda: not psutil.pid_exists(backend))
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
