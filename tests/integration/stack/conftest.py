"""A stack of one's own, in a folder and on a port that nobody else uses."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT

import pytest

from sos_ops.settings import Settings
from sos_ops.stack.embedded_postgres import ensure_cluster, superuser_url, wait_until_ready
from sos_ops.stack.layout import layout
from sos_ops.stack.programs import program_environment


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_for(condition: Callable[[], bool], deadline_s: float = 30.0) -> None:
    deadline = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


@contextmanager
def own_settings() -> Iterator[Settings]:
    # Not pytest's own temporary folder: that is closed to the account the server runs as under root.
    folder = Path(tempfile.mkdtemp(prefix="sos-stack-"))
    settings = Settings(
        home=folder / "home",
        dashboard_port=free_port(),
        airflow_port=free_port(),
        modbus_port=free_port(),
        postgres_port=free_port(),
        database_url=None,
    )
    try:
        layout(settings).create()
        yield settings
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Server:
    """An embedded PostgreSQL as the supervisor runs it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        with layout(self.settings).log_of("postgres").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sos_ops.stack.launch", "postgres"],
                env=program_environment(self.settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        wait_until_ready(superuser_url(self.settings), 60)

    def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process is not None and self._process.poll() is None:
            os.kill(self.pid, SIGINT)
            self._process.wait(timeout=60)


@pytest.fixture(autouse=True, scope="module")
def own_databases() -> Iterator[None]:
    """Airflow, once it has run a task in this process, leaves a database in the environment that nobody may use."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("SOS_DATABASE_URL", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW_CONN_SOS_POSTGRES"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with own_settings() as settings:
        ensure_cluster(settings, notice=lambda _: None)
        running = Server(settings)
        running.start()
        try:
            yield running
        finally:
            running.stop()


@pytest.fixture
def stack_settings() -> Iterator[Settings]:
    with own_settings() as settings:
        yield settings
