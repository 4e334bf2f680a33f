"""One real PostgreSQL for all tests of a run, and a freshly migrated database for each of them.

The cluster is the platform's own embedded one, in a folder of its own and on a free port. The schema is migrated once;
every test gets a copy of that database, and its copy is dropped when it ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from sos_ops.settings import Settings
from sos_ops.stack.databases import ensure_embedded_databases
from sos_ops.stack.embedded_postgres import ensure_cluster, superuser_url, wait_until_ready
from sos_ops.stack.layout import layout
from sos_ops.stack.secrets import database_url, load_or_create
from sos_ops.store.clock import set_clock
from sos_ops.store.connection import Connection, connect
from sos_ops.store.migrate import migrate

START_DEADLINE_S = 60.0
STOP_DEADLINE_S = 30.0

SLOW = 0.01
"""A clock so slow that a busy machine does not carry a test into the next minute."""


@dataclass(frozen=True)
class Database:
    """A database of one test, migrated and empty."""

    url: str

    def connect(self, actor: str | None = None) -> AbstractContextManager[Connection]:
        """Opens a connection whose transaction commits when the block ends, as the platform's own do."""
        return connect(self.url, actor=actor)

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """What a query says, in a transaction of its own."""
        with connect(self.url) as connection:
            return connection.execute(query.encode(), parameters).fetchall()

    def value(self, query: str, *parameters: Any) -> Any:
        """The only value of a query."""
        ((value,),) = self.rows(query, *parameters)
        return value

    def run(self, statement: str, *parameters: Any) -> None:
        """A statement without rows, in a transaction of its own."""
        with connect(self.url) as connection:
            connection.execute(statement.encode(), parameters)

    def set_clock(self, at: datetime, rate: float = SLOW) -> None:
        """Makes the platform's clock show `at` now; it goes on at this pace."""
        with connect(self.url) as connection:
            set_clock(connection, platform_time=at, rate=rate)


class Cluster:
    """A running server, and the migrated database that every test's is a copy of."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._numbers = count(1)
        self._template = urlsplit(database_url(settings))

    @contextmanager
    def fresh_database(self, like: Database | None = None) -> Iterator[Database]:
        """A copy of the migrated database, dropped at the end whoever is still connected.

        Args:
            like: copy this database instead, to which nobody may be connected now.
        """
        name = f"test_{next(self._numbers)}"
        source = self._template if like is None else urlsplit(like.url)
        template = sql.Identifier(source.path.lstrip("/"))
        # Copying its files is several times faster than writing them through the log, without fsync.
        create = sql.SQL("create database {} template {} strategy file_copy")
        self._run(create.format(sql.Identifier(name), template))
        try:
            yield Database(self._template._replace(path=f"/{name}").geturl())
        finally:
            self._run(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))

    def airflow_url(self, database: Database) -> str:
        """A database as Airflow's own login of this server would reach it."""
        parts = urlsplit(database.url)
        password = load_or_create(self._settings).airflow_database_password
        return parts._replace(netloc=f"airflow:{password}@{parts.hostname}:{parts.port}").geturl()

    def _run(self, statement: sql.Composed) -> None:
        with psycopg.connect(superuser_url(self._settings), autocommit=True) as connection:
            connection.execute(statement)


class Server:
    """A PostgreSQL server with an empty, migrated platform database, that a test may take away and give back."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(home=folder, postgres_port=_free_port(), database_url=None)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The platform's database."""
        return database_url(self.settings)

    def prepare(self) -> None:
        """Makes the cluster, starts it, and migrates its database."""
        layout(self.settings).create()
        ensure_cluster(self.settings, notice=lambda _line: None)
        self.start()
        _forget_durability(self.settings)
        ensure_embedded_databases(self.settings)
        migrate(self.url)

    def start(self) -> None:
        """Starts it, and returns when it answers."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("SOS_")}
        environment |= {
            "SOS_HOME": str(self.settings.home),
            "SOS_POSTGRES_PORT": str(self.settings.postgres_port),
        }
        with layout(self.settings).log_of("postgres").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sos_ops.stack.launch", "postgres"],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal is for pytest, which then stops the server itself
            )
        wait_until_ready(superuser_url(self.settings), START_DEADLINE_S)

    def stop(self) -> None:
        """Stops it, "fast": open sessions are ended."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(STOP_DEADLINE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


@contextmanager
def running_server() -> Iterator[Server]:
    """A new server; stopped and removed at the end."""
    # Not pytest's own temporary folder: that is closed to the account the server runs as when root runs the tests.
    folder = Path(tempfile.mkdtemp(prefix="sos-tests-"))
    server = Server(folder)
    try:
        server.prepare()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_cluster() -> Iterator[Cluster]:
    """A new cluster, migrated; stopped and removed at the end."""
    with running_server() as server:
        yield Cluster(server.settings)


def _forget_durability(settings: Settings) -> None:
    """What a power cut would do to these data is no test's question."""
    with psycopg.connect(superuser_url(settings), autocommit=True) as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(sql.SQL("alter system set {} = off").format(sql.Identifier(name)))
        connection.execute("select pg_reload_conf()")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
