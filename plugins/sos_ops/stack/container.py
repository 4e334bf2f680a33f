"""One program of the stack in a container of its own: `python -m sos_ops.stack.container NAME`.

Docker starts again what ended, but not what lives and no longer works. So this process stays above the
program, asks it what its users would, and writes the answer where the container's health check looks. When the
program has not worked for as long as the watchdog is patient, it is ended, and Docker starts both anew.

`prepare` as the name makes what all of them need (databases, tables, the demo, Airflow's login) and ends.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sos_ops.errors import InvalidConfigurationError, SosOpsError, UnknownNameError
from sos_ops.settings import Settings, get_settings
from sos_ops.stack.airflow_config import migrate_airflow, write_airflow_files
from sos_ops.stack.databases import ensure_airflow_database
from sos_ops.stack.embedded_postgres import wait_until_ready
from sos_ops.stack.health import program_health
from sos_ops.stack.launch import DEADLINE_S, wait_for_needs
from sos_ops.stack.layout import layout
from sos_ops.stack.pools import ensure_pools
from sos_ops.stack.programs import WATCHDOG, Program, program_command, program_environment, programs
from sos_ops.stack.secrets import AIRFLOW_URL_VARIABLE, database_url
from sos_ops.stack.watchdog import LOOK_EVERY_S, PATIENCE, Watchdog, failing_programs

PREPARE = "prepare"
WORKS = Path(tempfile.gettempdir()) / "sos-works"
"""Was written when the program was last seen to work."""

LOOK_EVERY_S_AT_START = 2.0
RECENT = timedelta(seconds=30)

log = logging.getLogger("sos_ops.stack.container")


def prepare(settings: Settings, environ: Mapping[str, str] = os.environ) -> None:
    """Brings the databases and the shared files to this version; doing it again changes nothing.

    Raises:
        SosOpsError: the server does not answer, or refuses.
    """
    # Imported here: the programs themselves shall not load SQLAlchemy twice.
    from sos_ops.pipeline.demo import ensure_demo
    from sos_ops.pipeline.renew_maps import renew_maps
    from sos_ops.store.migrate import migrate

    layout(settings).create()
    url = database_url(settings)
    wait_until_ready(url, DEADLINE_S)
    log.info("the platform's tables: %s", ", ".join(migrate(url)) or "up to date")
    for line in renew_maps(url):
        log.info("%s", line)
    ensure_demo(url, settings)
    if not environ.get(AIRFLOW_URL_VARIABLE):
        ensure_airflow_database(settings)
    write_airflow_files(settings)
    name = "airflow-db-migrate"
    try:
        migrated = migrate_airflow(settings, program_environment(settings, name, environ))
    except SosOpsError:
        sys.stderr.write(layout(settings).log_of(name).read_text(errors="replace"))
        raise
    log.info("Airflow's tables: %s", "brought to this version" if migrated else "up to date")
    if pools := ensure_pools(settings, program_environment(settings, "airflow-pools", environ)):
        log.info("pools made: %s", ", ".join(pools))


def keep(settings: Settings, name: str) -> int:
    """Runs a program and looks after it until it ends or this process is asked to.

    Returns:
        The exit status: the program's; 0 when it ended as it was asked to; 1 when it no longer worked.

    Raises:
        SosOpsError: there is no such program, or what it needs does not answer.
    """
    item = _named(settings, name)
    wait_for_needs(settings, item)
    keeper = Keeper(
        item,
        program_command(item),
        program_environment(settings, name),
        works=lambda now: program_health(settings, now - RECENT)[name],
        is_failing=lambda now: name in failing_programs(settings, now),
    )
    return keeper.run()


def _named(settings: Settings, name: str) -> Program:
    # Each keeper is its program's watchdog.
    known = {item.name: item for item in programs(settings) if item.name != WATCHDOG}
    if name not in known:
        raise UnknownNameError(f"There is no program {name}: choose one of {PREPARE}, {', '.join(known)}")
    return known[name]


class Keeper:
    """Runs one program as a child, and looks after it."""

    def __init__(
        self,
        item: Program,
        command: Sequence[str],
        environment: Mapping[str, str],
        *,
        works: Callable[[datetime], bool],
        is_failing: Callable[[datetime], bool],
        seen: Path = WORKS,
        look_every_s: float = LOOK_EVERY_S,
        patience: timedelta = PATIENCE,
    ) -> None:
        """Args: the program and how to start it.

        works: whether it does its work, to be shown as the container's health.
        is_failing: whether starting it anew would help.
        seen: the file to write to whenever it is seen to work.
        look_every_s: seconds between two looks.
        patience: how long it may be failing before it is ended.
        """
        self._item = item
        self._command = list(command)
        self._environment = dict(environment)
        self._works = works
        self._is_failing = is_failing
        self._seen = seen
        self._look_every_s = look_every_s
        self._patience = patience
        self._ending = threading.Event()
        self._gave_up = False

    def run(self) -> int:
        """Returns the exit status when the program has ended; SIGTERM and SIGINT end it in its own way."""
        self._seen.unlink(missing_ok=True)
        self._started = datetime.now(UTC)
        # A session of its own: it is asked to end by this process alone.
        self._child = subprocess.Popen(self._command, env=self._environment, start_new_session=True)  # noqa: S603  # our own command
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda _number, _frame: self._end())
        threading.Thread(target=self._look_after, name="keeper", daemon=True).start()
        status = self._child.wait()
        self._seen.unlink(missing_ok=True)
        if self._gave_up:
            return 1
        if self._ending.is_set():
            return 0
        return 128 - status if status < 0 else status

    def _look_after(self) -> None:
        watchdog = Watchdog(
            look=lambda now: {self._item.name} if self._is_failing(now) else set(),
            uptimes=lambda: {self._item.name: datetime.now(UTC) - self._started},
            restart=self._give_up,
            patience=self._patience,
        )
        while not self._ending.is_set():
            now = datetime.now(UTC)
            if self._works(now):
                self._seen.touch()
            else:
                self._seen.unlink(missing_ok=True)
            watchdog.turn(now)
            at_start = min(LOOK_EVERY_S_AT_START, self._look_every_s)
            time.sleep(self._look_every_s if self._seen.exists() else at_start)

    def _give_up(self, name: str) -> None:
        log.warning("%s did not work for %.0f s: ending it", name, self._patience.total_seconds())
        self._gave_up = True
        self._end()

    def _end(self) -> None:
        if self._ending.is_set():
            return
        self._ending.set()
        send = os.killpg if self._item.stop_whole_group else os.kill
        with suppress(ProcessLookupError):
            send(self._child.pid, signal.Signals[f"SIG{self._item.stop_signal}"])
        last_resort = threading.Timer(self._item.stop_grace_s, self._kill)
        last_resort.daemon = True
        last_resort.start()

    def _kill(self) -> None:
        log.info("%s did not end within %d s: killing it", self._item.name, self._item.stop_grace_s)
        with suppress(ProcessLookupError):
            os.killpg(self._child.pid, signal.SIGKILL)


def main(arguments: Sequence[str]) -> int:
    """The exit status of `python -m sos_ops.stack.container`."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(message)s")
    log.setLevel(logging.INFO)
    try:
        if len(arguments) != 1:
            raise InvalidConfigurationError("Name one program to run: python -m sos_ops.stack.container NAME")
        settings = get_settings()
        if settings.uses_embedded_postgres:
            raise InvalidConfigurationError(
                "Set SOS_DATABASE_URL: PostgreSQL is a container of its own, or a server of yours"
            )
        if arguments[0] != PREPARE:
            return keep(settings, arguments[0])
        prepare(settings)
    except SosOpsError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
