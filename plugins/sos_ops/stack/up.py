"""`sos-ops up`: starts the whole platform, shows how far it is, watches over it, and ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType

from rich.console import Console

from sos_ops.errors import SosOpsError
from sos_ops.settings import CHECKOUT, Settings
from sos_ops.stack import supervision
from sos_ops.stack.airflow_config import ADMIN, migrate_airflow, write_airflow_files
from sos_ops.stack.databases import ensure_airflow_database, ensure_embedded_databases
from sos_ops.stack.embedded_postgres import ensure_cluster, superuser_url, wait_until_ready
from sos_ops.stack.health import program_health
from sos_ops.stack.layout import layout
from sos_ops.stack.lock import holder, stack_lock
from sos_ops.stack.pools import ensure_pools
from sos_ops.stack.ports import check_ports
from sos_ops.stack.processes import end, end_leftovers
from sos_ops.stack.programs import POSTGRES, program_environment, programs
from sos_ops.stack.reporter import Reporter
from sos_ops.stack.secrets import AIRFLOW_URL_VARIABLE, database_url, load_or_create

POSTGRES_DEADLINE_S = 90.0
SHUTDOWN_DEADLINE_S = 150.0
REMIND_EVERY_S = 60.0


def up(settings: Settings, console: Console) -> int:
    """Runs the platform in the foreground until Ctrl-C, SIGTERM or SIGHUP.

    Args:
        settings: where it lives and listens.
        console: where to show progress; plain lines when it is no terminal.

    Returns:
        The exit status: 0 when it was ended by a person.

    Raises:
        SosOpsError: it could not be started; nothing of it is left running.
    """
    layout(settings).create()
    reporter = Reporter(console)
    with stack_lock(settings), _signals_interrupt():
        stack = Stack(settings, reporter)
        try:
            stack.prepare()
            stack.start()
            stack.wait_until_healthy()
            stack.welcome()
            stack.watch()
        except KeyboardInterrupt:
            reporter.line("")
        finally:
            stack.stop()
    return 0


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """SIGTERM and (unless `nohup` asks otherwise) SIGHUP end the stack as Ctrl-C does."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    previous = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


class Stack:
    """The running platform, as `sos-ops up` sees it."""

    def __init__(self, settings: Settings, reporter: Reporter) -> None:
        self._settings = settings
        self._reporter = reporter
        self._supervisor: subprocess.Popen[bytes] | None = None
        self._started_at = datetime.now(UTC)
        self._pids: dict[str, int] = {}
        self._stopped: set[str] = set()

    @property
    def _welcomed(self) -> Path:
        return layout(self._settings).run / "welcomed"

    def prepare(self) -> None:
        """Everything before the first program: leftovers, ports, secrets, the cluster."""
        settings, reporter = self._settings, self._reporter
        first = not self._welcomed.exists()
        usual = "about a minute and a half, the first time" if first else "about 40 seconds"
        reporter.title(f"State of Safety: starting under {settings.home}; this takes {usual}.")
        if found := end_leftovers(settings):
            reporter.done(f"ended {found} processes that a killed start had left")
        check_ports(settings)
        load_or_create(settings)
        write_airflow_files(settings)
        if settings.uses_embedded_postgres:
            with reporter.step("PostgreSQL's cluster"):
                ensure_cluster(settings, reporter.notice)

    def start(self) -> None:
        """The supervisor, the databases, and every program."""
        settings, reporter = self._settings, self._reporter
        self._started_at = datetime.now(UTC)
        self._supervisor = supervision.start_supervisor(settings)
        self._start_postgres()
        with reporter.step("the platform's tables"):
            self._prepare_tables()
        with reporter.step("Airflow's tables"):
            migrate_airflow(settings, program_environment(settings, "airflow-db-migrate"))
            ensure_pools(settings, program_environment(settings, "airflow-pools"))
        self._start_programs()

    def _start_postgres(self) -> None:
        settings = self._settings
        with self._reporter.step("PostgreSQL"):
            if settings.uses_embedded_postgres:
                supervision.start_program(settings, POSTGRES)
                wait_until_ready(superuser_url(settings), POSTGRES_DEADLINE_S)
                ensure_embedded_databases(settings)
            else:
                wait_until_ready(database_url(settings), deadline_s=15)
                if not os.environ.get(AIRFLOW_URL_VARIABLE):
                    ensure_airflow_database(settings)

    def _prepare_tables(self) -> None:
        # Imported here: `ps`, `down` and the like shall not wait for SQLAlchemy.
        from sos_ops.pipeline.demo import ensure_demo
        from sos_ops.pipeline.renew_maps import renew_maps
        from sos_ops.store.migrate import migrate

        url = database_url(self._settings)
        migrate(url)
        for line in renew_maps(url):
            self._reporter.notice(line)
        ensure_demo(url, self._settings)

    def _start_programs(self) -> None:
        for item in programs(self._settings):
            if item.name != POSTGRES and item.name not in self._stopped:
                supervision.start_program(self._settings, item.name)

    def wait_until_healthy(self) -> None:
        """Returns when every program does its work; tells which are still awaited, however long."""
        titles = {item.name: item.title for item in programs(self._settings)}
        reported: set[str] = set()
        reminded = time.monotonic()
        while True:
            health = program_health(self._settings, self._started_at)
            for name in [name for name, healthy in health.items() if healthy and name not in reported]:
                reported.add(name)
                self._reporter.done(titles[name])
            waiting = [name for name in health if name not in reported]
            if not waiting:
                return
            if time.monotonic() - reminded > REMIND_EVERY_S:
                reminded = time.monotonic()
                logs = ", ".join(str(layout(self._settings).log_of(name)) for name in waiting)
                self._reporter.notice(f"still waiting; see {logs}")
            self._look()
            others = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
            self._reporter.busy(f"waiting for {titles[waiting[0]]}{others}")
            time.sleep(0.5)

    def welcome(self) -> None:
        """The addresses, and how to go on; the Airflow password at the first start only."""
        settings = self._settings
        first = not self._welcomed.exists()
        password = load_or_create(settings).airflow_admin_password if first else "(sos-ops airflow password)"
        self._reporter.ready(
            [
                ("Page", f"http://127.0.0.1:{settings.dashboard_port}"),
                ("Airflow", f"http://127.0.0.1:{settings.airflow_port}  user {ADMIN}  password {password}"),
                (
                    "BMS",
                    f"127.0.0.1:{settings.modbus_port} (Modbus TCP, simulated, scenario {settings.scenario})",
                ),
                ("Database", "sos-ops db url"),
                ("Logs", str(layout(settings).logs)),
                ("Commands", f"{CHECKOUT / '.venv' / 'bin' / 'sos-ops'} --help"),
                ("Stop", "Ctrl-C (or `sos-ops down` in another terminal); the data stay"),
            ]
        )
        self._welcomed.touch()

    def watch(self) -> None:
        """Tells when a program died and was started again, until interrupted."""
        while True:
            self._look()
            time.sleep(1)

    def _look(self) -> None:
        if self._supervisor is not None and self._supervisor.poll() is not None:
            self._recover()
            return
        try:
            states = supervision.program_states(self._settings)
        except supervision.NotRunningError:
            return  # busy for a moment, or dead: then the next look sees it
        for state in states:
            before = self._pids.get(state.name)
            if state.pid is not None and before not in (None, state.pid):
                self._reporter.notice(f"{state.name} ended and was started again (process {state.pid})")
            if state.pid is not None:
                self._pids[state.name] = state.pid
        self._stopped = {state.name for state in states if state.state == "STOPPED"}

    def _recover(self) -> None:
        self._reporter.notice("the supervisor was killed: starting everything again")
        self._pids.clear()
        try:
            end_leftovers(self._settings)
            self._supervisor = supervision.start_supervisor(self._settings)
            self._start_postgres()
            self._start_programs()
        except SosOpsError as error:
            self._reporter.notice(str(error))
            if self._supervisor is not None:
                self._supervisor.kill()  # so that the next look tries again

    def stop(self) -> None:
        """Ends every program, PostgreSQL last, and leaves nothing behind; a second Ctrl-C changes nothing."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        if self._supervisor is None:
            end_leftovers(self._settings)  # a supervisor that was just being started
            return
        with self._reporter.step("everything ended", busy="ending every program; PostgreSQL comes last"):
            _shut_down(self._settings, self._supervisor)


def _shut_down(settings: Settings, supervisor: subprocess.Popen[bytes]) -> None:
    try:
        supervision.request_shutdown(settings)
        supervisor.wait(timeout=SHUTDOWN_DEADLINE_S)
    except (SosOpsError, subprocess.TimeoutExpired):
        supervisor.kill()
        supervisor.wait()
    end_leftovers(settings)


def down(settings: Settings) -> bool:
    """Ends the platform from another terminal, whether `sos-ops up` still lives or was killed.

    Returns:
        False when nothing was running.
    """
    pid = holder(settings)
    if pid is not None:
        end([pid], grace_s=SHUTDOWN_DEADLINE_S + 30)
    elif supervision.is_running(settings):
        supervision.request_shutdown(settings)
        _wait(lambda: not supervision.is_running(settings), SHUTDOWN_DEADLINE_S)
    return bool(end_leftovers(settings)) or pid is not None


def _wait(condition: Callable[[], bool], deadline_s: float) -> None:
    deadline = time.monotonic() + deadline_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)
