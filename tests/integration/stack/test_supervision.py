from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from sos_ops.errors import UnknownNameError
from sos_ops.settings import Settings
from sos_ops.stack.databases import ensure_embedded_databases
from sos_ops.stack.embedded_postgres import ensure_cluster, superuser_url, wait_until_ready
from sos_ops.stack.layout import layout
from sos_ops.stack.processes import end_leftovers, marks, postgres_pid, stack_pids
from sos_ops.stack.programs import program_environment
from sos_ops.stack.supervision import (
    NotRunningError,
    ProgramState,
    is_running,
    program_states,
    request_shutdown,
    start_program,
    start_supervisor,
    stop_program,
)

from .conftest import own_settings, wait_for


@pytest.fixture(scope="module")
def settings() -> Iterator[Settings]:
    with own_settings() as found:
        deep = found.model_copy(update={"home": found.home / ("long folder name " * 8) / "home"})
        layout(deep).create()
        assert len(str(deep.home)) > 107  # more than a socket's address may have
        ensure_cluster(deep, notice=lambda _: None)
        yield deep


@pytest.fixture
def supervisor(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    process = start_supervisor(settings)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        end_leftovers(settings)


def state_of(settings: Settings, name: str) -> ProgramState:
    return next(state for state in program_states(settings) if state.name == name)


def start_postgres(settings: Settings) -> int:
    start_program(settings, "postgres")
    wait_until_ready(superuser_url(settings), 60)
    pid = state_of(settings, "postgres").pid
    assert pid is not None
    return pid


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.usefixtures("supervisor")
def test_a_killed_program_is_started_again(settings: Settings) -> None:
    first = start_postgres(settings)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: state_of(settings, "postgres").pid not in (None, first))
    wait_until_ready(superuser_url(settings), 60)


@pytest.mark.usefixtures("supervisor")
def test_the_simulated_bms_goes_off_and_on_the_line(settings: Settings) -> None:
    start_postgres(settings)
    start_program(settings, "bms")
    wait_for(lambda: accepts(settings.modbus_port))
    stop_program(settings, "bms")
    assert not accepts(settings.modbus_port)
    stop_program(settings, "bms")  # a second time changes nothing
    assert state_of(settings, "bms").state == "STOPPED"
    start_program(settings, "bms")
    start_program(settings, "bms")
    wait_for(lambda: accepts(settings.modbus_port))


@pytest.mark.usefixtures("supervisor")
def test_an_unknown_program_is_answered_with_the_known_ones(settings: Settings) -> None:
    with pytest.raises(UnknownNameError, match="choose one of postgres, bms"):
        start_program(settings, "bmss")


def test_the_end_comes_in_order_and_leaves_nothing(
    settings: Settings, supervisor: subprocess.Popen[bytes]
) -> None:
    start_postgres(settings)
    start_program(settings, "bms")
    wait_for(lambda: accepts(settings.modbus_port))
    request_shutdown(settings)
    assert supervisor.wait(timeout=60) == 0
    assert stack_pids(settings) == []
    assert postgres_pid(layout(settings).postgres) is None
    log = layout(settings).logs.joinpath("supervisor.log").read_text()
    assert log.rindex("stopped: bms") < log.rindex("stopped: postgres")
    assert not is_running(settings)


def test_what_a_killed_supervisor_left_is_found_and_ended(
    settings: Settings, supervisor: subprocess.Popen[bytes]
) -> None:
    pid = start_postgres(settings)
    start_program(settings, "bms")
    wait_for(lambda: accepts(settings.modbus_port))
    supervisor.kill()
    supervisor.wait()
    assert psutil.pid_exists(pid)
    assert accepts(settings.modbus_port)
    assert end_leftovers(settings) >= 2
    assert not accepts(settings.modbus_port)
    assert not accepts(settings.postgres_port)
    assert end_leftovers(settings) == 0


def test_a_stack_that_is_not_running_is_one_line(stack_settings: Settings) -> None:
    with pytest.raises(NotRunningError, match=r"is not running .*start it with `make up`"):
        program_states(stack_settings)


def test_what_a_killed_program_left_is_ended_before_it_starts_again(stack_settings: Settings) -> None:
    # A worker that outlived its scheduler: out of its parent's process group, deaf to SIGTERM, renamed.
    code = (
        "import setproctitle, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "setproctitle.setproctitle('airflow worker' * 20); print('ready', flush=True); time.sleep(600)"
    )
    environment = {
        **program_environment(stack_settings),
        **marks(stack_settings, "bms"),
    }
    orphan = subprocess.Popen(
        [sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, start_new_session=True
    )
    assert orphan.stdout is not None
    orphan.stdout.readline()
    assert stack_pids(stack_settings, "bms") == [orphan.pid]
    assert stack_pids(stack_settings, "dashboard") == []
    successor = subprocess.Popen(
        [sys.executable, "-m", "sos_ops.stack.launch", "bms"], env=program_environment(stack_settings)
    )
    try:
        wait_for(lambda: accepts(stack_settings.modbus_port))
        assert orphan.wait(timeout=1) == -signal.SIGKILL
    finally:
        successor.terminate()
        successor.wait(timeout=30)
        orphan.kill()
        orphan.communicate()


def test_a_program_waits_for_a_database_that_is_late(settings: Settings) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "sos_ops.stack.launch", "dashboard"], env=program_environment(settings)
    )
    supervisor = start_supervisor(settings)
    try:
        time.sleep(1)
        assert process.poll() is None
        assert not accepts(settings.dashboard_port)
        start_postgres(settings)
        ensure_embedded_databases(settings)
        wait_for(lambda: accepts(settings.dashboard_port))
    finally:
        process.terminate()
        process.wait(timeout=30)
        supervisor.kill()
        supervisor.wait()
        end_leftovers(settings)
