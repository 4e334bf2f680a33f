"""A platform of one's own for a measurement: a temporary `SOS_HOME`, free ports, nothing left behind."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sos_ops.settings import Scenario, Settings
from sos_ops.stack.databases import ensure_embedded_databases
from sos_ops.stack.embedded_postgres import ensure_cluster, superuser_url, wait_until_ready
from sos_ops.stack.layout import layout
from sos_ops.stack.programs import POSTGRES, program_environment
from sos_ops.stack.secrets import database_url
from sos_ops.store.migrate import migrate

READY_DEADLINE_S = 60.0


@contextmanager
def temporary_settings(scenario: Scenario = Scenario.NORMAL) -> Iterator[Settings]:
    """Settings of a `SOS_HOME` that is removed when the block ends; whoever starts something in it ends it."""
    home = Path(tempfile.mkdtemp(prefix="sos-bench-"))
    ports = _free_ports(4)
    try:
        yield Settings(
            home=home,
            dashboard_port=ports[0],
            airflow_port=ports[1],
            modbus_port=ports[2],
            postgres_port=ports[3],
            scenario=scenario,
            database_url=None,
        )
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def temporary_database() -> Iterator[str]:
    """The URL of an empty platform's database on a PostgreSQL of its own, with the settings of `make up`."""
    with temporary_settings() as settings:
        layout(settings).create()
        ensure_cluster(settings, lambda _line: None)
        log = layout(settings).log_of(POSTGRES)
        with log.open("w") as output:
            server = subprocess.Popen(  # noqa: S603  # our own interpreter
                [sys.executable, "-m", "sos_ops.stack.launch", POSTGRES],
                env=program_environment(settings, POSTGRES),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until_ready(superuser_url(settings), READY_DEADLINE_S)
            ensure_embedded_databases(settings)
            url = database_url(settings)
            migrate(url)
            yield url
        finally:
            server.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
            server.wait(timeout=60)


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket(socket.AF_INET, socket.SOCK_STREAM) for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
