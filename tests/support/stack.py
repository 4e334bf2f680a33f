"""The whole platform as `make up` runs it, in a folder of its own, for tests to look at, speed up and hurt."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.client import HTTPException
from pathlib import Path
from typing import Any, TypeVar

import psycopg

from sos_ops.clock import ClockSetting, floor_minute, system_now
from sos_ops.errors import DatabaseUnavailableError
from sos_ops.settings import Settings
from sos_ops.stack.secrets import database_url, load_or_create
from sos_ops.stack.supervision import NotRunningError, program_states
from sos_ops.store.clock import now, set_clock
from sos_ops.store.connection import Connection, connect

SOS_OPS = Path(sys.executable).with_name("sos-ops")
T = TypeVar("T")


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(condition: Callable[[], T], what: str, seconds: float, every: float = 0.2) -> T:
    """The condition's first true value; fails with `what` when the time is over.

    A server that is away counts as not yet: tests kill them on purpose.
    """
    deadline = time.monotonic() + seconds
    last = ""
    while time.monotonic() < deadline:
        try:
            if value := condition():
                return value
        except (DatabaseUnavailableError, psycopg.OperationalError, OSError) as error:
            last = f" ({error})"
        time.sleep(every)
    raise AssertionError(f"not within {seconds:.0f} s: {what}{last}")


@dataclass
class RunningStack:
    """A started platform."""

    settings: Settings
    environment: dict[str, str]
    process: subprocess.Popen[bytes]
    output: Path
    started_at: datetime
    _ticking: threading.Event = field(default_factory=threading.Event)
    _token: str = ""

    def connect(self) -> AbstractContextManager[Connection]:
        """One transaction on the platform's database."""
        return connect(database_url(self.settings))

    def query(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.connect() as connection:
            return connection.execute(statement, values or None).fetchall()  # type: ignore[arg-type]

    def now(self) -> datetime:
        """Platform time."""
        with self.connect() as connection:
            return now(connection)

    def run(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs `sos-ops` with these arguments."""
        done = subprocess.run(
            [str(SOS_OPS), *arguments], env=self.environment, capture_output=True, text=True, timeout=180
        )
        if check:
            assert done.returncode == 0, f"sos-ops {' '.join(arguments)}: {done.stdout}{done.stderr}"
        return done

    def page_url(self, path: str = "/") -> str:
        """An address of the page."""
        return f"http://127.0.0.1:{self.settings.dashboard_port}{path}"

    def pid(self, program: str) -> int | None:
        """The process of a supervised program while it runs."""
        try:
            states = {state.name: state for state in program_states(self.settings)}
        except NotRunningError:
            return None
        return states[program].pid if program in states else None

    def kill(self, program: str) -> None:
        """`kill -9` of a supervised program, and waits until another process has taken its place."""
        before = wait_for(lambda: self.pid(program), f"{program} runs", 60)
        os.kill(before, signal.SIGKILL)
        wait_for(lambda: self.pid(program) not in (None, before), f"{program} is started again", 60)

    def descendants(self, program: str) -> list[int]:
        """Every process below a supervised program, nearest first."""
        found, waiting = [], [self.pid(program)]
        while waiting:
            parent = waiting.pop(0)
            for child in _children(parent) if parent else []:
                found.append(child)
                waiting.append(child)
        return found

    def airflow(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """A call of Airflow's REST API as its admin."""
        if not self._token:
            login = {"username": "admin", "password": load_or_create(self.settings).airflow_admin_password}
            self._token = self._call("POST", "/auth/token", login, {})["access_token"]
        return self._call(method, f"/api/v2{path}", body, {"Authorization": f"Bearer {self._token}"})

    def _call(self, method: str, path: str, body: object, headers: dict[str, str]) -> Any:
        request = urllib.request.Request(  # our own server
            f"http://127.0.0.1:{self.settings.airflow_port}{path}",
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json", **headers},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310  # our own server
            return json.load(response)

    def trigger_minute(self) -> None:
        """Starts a run of `sos_minute` by hand; it belongs to the minute it starts in."""
        self.airflow("POST", "/dags/sos_minute/dagRuns", {"logical_date": None})

    @contextmanager
    def sped_up(self, rate: float) -> Iterator[ClockSetting]:
        """Platform time runs `rate` times as fast, and every platform minute a run of `sos_minute` is started."""
        setting = wait_for(lambda: self._set_rate(rate), "the clock is sped up", 60)
        self._ticking.set()
        ticker = threading.Thread(target=self._tick, args=(setting,), daemon=True)
        ticker.start()
        try:
            yield setting
        finally:
            self._ticking.clear()
            ticker.join()
            # On from here at the pace of the wall clock: platform time never goes back.
            wait_for(lambda: self._set_rate(1.0), "the clock is set back to real pace", 60)

    def _set_rate(self, rate: float) -> ClockSetting:
        with self.connect() as connection:
            return set_clock(connection, platform_time=None, rate=rate)

    def _tick(self, setting: ClockSetting) -> None:
        last = None
        while self._ticking.is_set():
            # Not asked of the database: tests take it away, and the minutes go on.
            minute = floor_minute(setting.at(system_now()))
            if minute != last:
                last = minute
                try:
                    self.trigger_minute()
                except (OSError, HTTPException, KeyError, ValueError):  # the test hurts the API on purpose
                    self._token = ""
            time.sleep(min(0.2, 3 / setting.rate))

    def newest(self, set_id: int = 1) -> dict[str, Any] | None:
        """The newest decided minute of a set, as a dict."""
        rows = self.query(
            "select minute, value, upper, known, tags, band::text, decided_at from sos_ops.sos "
            "where set_id = %s order by minute desc limit 1",
            set_id,
        )
        names = ("minute", "value", "upper", "known", "tags", "band", "decided_at")
        return dict(zip(names, rows[0], strict=True)) if rows else None

    def stop(self) -> None:
        """Ctrl-C."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(timeout=180)


def _children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


@contextmanager
def stack_folder() -> Iterator[Path]:
    """A folder for a stack, removed at the end.

    Not pytest's own temporary folder: each pytest that starts closes that to the account which PostgreSQL runs as when
    root runs the tests, also to the server of another pytest.
    """
    folder = Path(tempfile.mkdtemp(prefix="sos-stack-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def start_stack(folder: Path, **extra: str) -> RunningStack:
    """Starts `sos-ops up` in `folder` on free ports."""
    ports = {f"SOS_{name}_PORT": str(free_port()) for name in ("DASHBOARD", "AIRFLOW", "MODBUS", "POSTGRES")}
    keep = {k: v for k, v in os.environ.items() if not k.startswith(("SOS_", "AIRFLOW"))}
    environment = {**keep, "SOS_HOME": str(folder / "sos"), **ports, **extra}
    output = folder / "up.log"
    with output.open("wb") as log:
        process = subprocess.Popen(
            [str(SOS_OPS), "up"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    names = ("home", "dashboard_port", "airflow_port", "modbus_port", "postgres_port", "database_url")
    settings = Settings.model_validate({name: environment.get(f"SOS_{name.upper()}") for name in names})
    return RunningStack(settings, environment, process, output, system_now())
