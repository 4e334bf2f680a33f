"""The simulated BMS as a process: stopped, killed, started again, and left without its database."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pymodbus.client import ModbusTcpClient

from sos_ops.clock import system_now
from sos_ops.modbus.simulator import state_file
from sos_ops.modbus.simulator.server import SAVE_EVERY_S
from sos_ops.modbus.simulator.state_file import SavedRack

DEADLINE_S = 60.0
CURRENT, MAX_CELL_TEMPERATURE = 3, 7
NO_DATABASE = "postgresql://nobody:nothing@127.0.0.1:1/none"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def start(home: Path, port: int) -> subprocess.Popen[str]:
    environment = os.environ | {
        "SOS_HOME": str(home),
        "SOS_MODBUS_PORT": str(port),
        "SOS_DATABASE_URL": NO_DATABASE,
        "SOS_SCENARIO": "overheat",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "sos_ops.modbus.simulator"], env=environment, stderr=subprocess.PIPE, text=True
    )


@contextmanager
def running(home: Path, port: int) -> Iterator[subprocess.Popen[str]]:
    """A process that serves; killed at the end if it still runs."""
    process = start(home, port)
    try:
        wait_until(lambda: listens(port) or process.poll() is not None)
        assert process.poll() is None, process.communicate()[1]
        yield process
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE_S)


def saved_rack(home: Path) -> SavedRack | None:
    return state_file.load(home / "bms")


def wait_for_age(home: Path, age_s: int) -> SavedRack:
    wait_until(lambda: (saved := saved_rack(home)) is not None and saved.state.age_s >= age_s)
    saved = saved_rack(home)
    assert saved is not None
    return saved


def read_tenths(port: int, address: int) -> float:
    """A positive point with the scale 0.1, over Modbus."""
    with ModbusTcpClient("127.0.0.1", port=port, timeout=5, retries=0) as client:
        answer = client.read_input_registers(address, count=1, device_id=1)
    assert not answer.isError(), answer
    return float(answer.registers[0] / 10)


def test_it_serves_while_there_is_no_database(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, port):
        wait_for_age(tmp_path, 3)
        assert read_tenths(port, CURRENT) == pytest.approx(100, abs=0.2)
        assert 25 < read_tenths(port, MAX_CELL_TEMPERATURE) < 40


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_with_the_rack_saved(tmp_path: Path, number: signal.Signals) -> None:
    port = free_port()
    with running(tmp_path, port) as process:
        process.send_signal(number)
        ended = system_now()
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 0
    assert "Traceback" not in errors
    saved = saved_rack(tmp_path)
    assert saved is not None
    assert saved.seen_at >= ended
    assert not listens(port)


def test_killed_and_started_again_it_has_lost_at_most_the_save_interval(tmp_path: Path) -> None:
    port = free_port()
    with running(tmp_path, port) as process:
        wait_for_age(tmp_path, 3)
        killed_at = system_now()
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=DEADLINE_S)
    left = saved_rack(tmp_path)
    assert left is not None
    # A busy machine may be late with a save; the interval itself is what is promised.
    assert (killed_at - left.seen_at).total_seconds() < SAVE_EVERY_S + 2
    born = left.seen_at.timestamp() - left.state.age_s
    with running(tmp_path, port):
        later = wait_for_age(tmp_path, left.state.age_s + 2)
        assert read_tenths(port, MAX_CELL_TEMPERATURE) > 28
    assert later.scenario_since_s == 0
    # Its age still counts from the first start: the time it was away has passed for the rack, too.
    assert later.seen_at.timestamp() - later.state.age_s == pytest.approx(born, abs=1.01)


def test_a_damaged_rack_is_said_and_replaced(tmp_path: Path) -> None:
    file = tmp_path / "bms" / state_file.FILE_NAME
    file.parent.mkdir()
    file.write_text('{"seed": 0, "scen')
    with running(tmp_path, free_port()) as process:
        wait_until(lambda: saved_rack(tmp_path) is not None)
        process.terminate()
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert errors.count("starting with a fresh rack") == 1
    assert process.returncode == 0


def test_a_taken_port_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = start(tmp_path, port)
        _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 1
    (line,) = errors.splitlines()
    assert f"127.0.0.1:{port}" in line
    assert "SOS_MODBUS_PORT" in line
