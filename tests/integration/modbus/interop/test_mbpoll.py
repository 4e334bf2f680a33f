"""mbpoll, a Modbus client written in C, against our simulated devices."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sos_ops.clock import system_now
from sos_ops.modbus.protocol_map import bundled_map
from sos_ops.modbus.simulator.map_server import Simulation, serve_map
from tests.support.rack import serving_rack

MBPOLL = shutil.which("mbpoll")

pytestmark = pytest.mark.skipif(MBPOLL is None, reason="mbpoll is not installed: apt-get install mbpoll")

KETI = bundled_map("keti_bank")
DEMO = bundled_map("demo_rack")
INPUT, HOLDING = "3", "4"
"""mbpoll's own numbers of the tables."""


def mbpoll(
    port: int, table: str, first: int, *arguments: str, count: int = 1, unit: int = 1
) -> subprocess.CompletedProcess[str]:
    """One run of mbpoll, addresses as on the wire; arguments that are numbers are written."""
    how_many = () if arguments else ("-c", str(count))
    command = [
        *(str(MBPOLL), "-0", "-1", "-m", "tcp", "-p", str(port), "-a", str(unit)),
        *("-t", table, "-r", str(first), *how_many, "127.0.0.1", *arguments),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def registers(done: subprocess.CompletedProcess[str]) -> list[int]:
    """The registers mbpoll printed, in order."""
    return [int(value) for value in re.findall(r"^\[\d+\]:\s+(\d+)", done.stdout, re.MULTILINE)]


def test_mbpoll_reads_the_values_a_simulated_map_was_set_to() -> None:
    with serve_map(Simulation(KETI, values={"voltage": 712.3, "current": -40.0, "soc": 55.5})) as device:
        read = registers(mbpoll(device.port, INPUT, 0, count=13))
    assert len(read) == 13
    assert (read[0], read[2], read[3]) == (555, 7123, 65536 - 400)


def test_mbpoll_is_refused_what_the_map_does_not_have() -> None:
    with serve_map(KETI) as device:
        beyond = mbpoll(device.port, INPUT, 13)
        other_table = mbpoll(device.port, HOLDING, 0)
    assert beyond.returncode != 0
    assert "Illegal data address" in beyond.stderr + beyond.stdout
    assert "Illegal function" in other_table.stderr + other_table.stdout


def test_mbpoll_writes_the_demo_racks_current_limit_and_reads_it_back(tmp_path: Path) -> None:
    limit = DEMO.writable_point("current_limit")
    write_at = DEMO.register_to_write(limit).start
    read_at = DEMO.registers_of(DEMO.point("current_limit")).start
    with serving_rack(tmp_path, system_now, protocol_map=DEMO) as port:
        done = mbpoll(port, HOLDING, write_at, "507")
        shown = registers(mbpoll(port, HOLDING, read_at))
        too_much = mbpoll(port, HOLDING, write_at, "2001")
        after = registers(mbpoll(port, HOLDING, read_at))
    assert done.returncode == 0, done.stderr
    assert shown == [50]  # 50.7 A, in whole amperes
    assert too_much.returncode != 0
    assert "Illegal data value" in too_much.stderr + too_much.stdout
    assert after == [50]
