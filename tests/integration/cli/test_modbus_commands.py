"""`sos-ops modbus`: what it prints, how it ends, and that every wrong input is one line that says what to do."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

import pytest

from sos_ops.cli.app import main
from sos_ops.modbus.protocol_map import MAPS_DIR, bundled_map, bundled_map_names
from sos_ops.modbus.simulator.faults import parse_faults
from sos_ops.modbus.simulator.map_server import Simulation, serve_map
from sos_ops.settings import get_settings
from sos_ops.store.maps import save_map
from tests.support.database import Database
from tests.support.faulty_modbus import refusing_port

SOS_OPS = Path(sys.executable).with_name("sos-ops")
DEADLINE_S = 60


def environment(folder: Path, **extra: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SOS_")}
    return kept | {"SOS_HOME": str(folder / "sos"), **extra}


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def run(folder: Path, *arguments: str, **extra: str) -> Done:
    """One run of the command line in this process: its entry point, as the real program has it."""
    out, err = io.StringIO(), io.StringIO()
    get_settings.cache_clear()
    try:
        with (
            patch.dict(os.environ, environment(folder, **extra), clear=True),
            patch.object(sys, "argv", ["sos-ops", "modbus", *arguments]),
            redirect_stdout(out),
            redirect_stderr(err),
            pytest.raises(SystemExit) as ended,
        ):
            main()
    finally:
        get_settings.cache_clear()
    return Done(int(ended.value.code or 0), out.getvalue(), err.getvalue())


@contextmanager
def simulating(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """`sos-ops modbus simulate ... --port 0` as a process: it, its port, and the line that said so."""
    command = [str(SOS_OPS), "modbus", "simulate", *arguments, "--port", "0"]
    process = subprocess.Popen(
        command,
        env=environment(folder),
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.search(r"127\.0\.0\.1:(\d+)", line)
        assert match, line + (process.communicate(timeout=DEADLINE_S)[1])
        yield process, int(match[1]), line
    finally:
        process.kill()
        process.communicate(timeout=DEADLINE_S)


def test_plan_prints_every_request_what_it_keeps_clear_of_and_that_it_fits(tmp_path: Path) -> None:
    done = run(tmp_path, "plan", "keti_testbed")
    assert done.returncode == 0, done.stderr
    assert "23 requests read 2594 points; 2594 registers used, 0 wasted" in done.stdout
    assert "5000 to 5124" in done.stdout
    assert (
        "kept clear of: holding register 99, denied (resets the BMS controller when written)" in done.stdout
    )
    assert "9600 baud" in done.stdout
    assert "it fits: 7.6 s of the 15 s" in done.stdout


def test_plan_says_why_a_slow_line_does_not_fit(tmp_path: Path) -> None:
    slow = run(tmp_path, "plan", "keti_testbed", "--baud", "1200", "--turnaround", "0.2")
    assert "does not fit a minute" in slow.stdout
    assert "set a higher baud rate" in slow.stdout
    assert "slow lane only" in run(tmp_path, "plan", "keti_testbed", "--baud", "2400").stdout


def test_plan_counts_the_maps_own_way_and_on_the_wire(tmp_path: Path) -> None:
    file = tmp_path / "bms.yaml"
    file.write_text(
        "name: bms\nversion: 1\ndescription: counts from one\nread_function: holding\naddressing: one_based\n"
        "points:\n- {name: soc, address: 40, type: u16}\n- {name: soh, address: 43, type: u16}\n",
        encoding="utf-8",
    )
    done = run(tmp_path, "plan", str(file))
    assert done.returncode == 0, done.stderr
    assert re.search(r"3 \(holding\) +│ 40 +│ 39 to 42 +│ 4 +│ 2 +│ 2 +│ 2 ", done.stdout), done.stdout


def test_plan_with_other_limits_has_other_requests(tmp_path: Path) -> None:
    assert "14 requests" in run(tmp_path, "plan", "demo_rack", "--max-registers", "1").stdout
    refused = run(tmp_path, "plan", "demo_rack", "--max-registers", "126")
    assert refused.returncode == 1
    assert "1 to 125 registers" in refused.stderr


def test_maps_lists_what_comes_with_the_platform_and_says_why_stored_ones_are_missing(tmp_path: Path) -> None:
    done = run(tmp_path, "maps")
    assert done.returncode == 0
    assert all(name in done.stdout for name in bundled_map_names())
    assert "stored maps are not shown: no platform under" in done.stdout


def test_maps_lists_stored_maps_and_plan_finds_them_by_name(tmp_path: Path, database: Database) -> None:
    own = bundled_map("keti_bank").model_copy(update={"name": "our_bms", "version": 3})
    with database.connect() as connection:
        save_map(connection, own)
    listed = run(tmp_path, "maps", SOS_DATABASE_URL=database.url)
    assert re.search(r"our_bms +│ 3 ", listed.stdout), listed.stdout + listed.stderr
    planned = run(tmp_path, "plan", "our_bms", SOS_DATABASE_URL=database.url)
    assert "map our_bms version 3" in planned.stdout


def test_schema_is_json_and_lies_beside_the_maps(tmp_path: Path) -> None:
    schema = json.loads(run(tmp_path, "schema").stdout)
    assert "points" in schema["properties"]
    where = Path(run(tmp_path, "schema", "--path").stdout.strip())
    assert json.loads(where.read_text(encoding="utf-8")) == schema


@pytest.mark.parametrize("name", bundled_map_names())
def test_check_says_that_a_map_is_valid_and_how_many_points_it_has(tmp_path: Path, name: str) -> None:
    done = run(tmp_path, "check", str(MAPS_DIR / f"{name}.yaml"))
    assert done.returncode == 0
    assert f"valid; map {name} version 1, {len(bundled_map(name).points)} points" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["plan", "nothing"], "there are: demo_rack, fenecon_home, keti_bank, keti_testbed"),
        (["plan", "nowhere/bms.yaml"], "cannot be read"),
        (["check", "nowhere.yaml"], "cannot be read"),
        (["simulate", "keti_bank", "--fault", "flood"], "there are drop, late"),
        (["simulate", "keti_bank", "--set", "soc"], "POINT=VALUE"),
        (["simulate", "keti_bank", "--set", "soc=lots"], "POINT=VALUE"),
        (["simulate", "keti_bank", "--set", "wind=1"], "no point wind"),
        (["simulate", "keti_bank", "--set", "soc=1e9"], "cannot show"),
        (["simulate", "keti_bank", "--fault", "stuck:wind"], "no point wind"),
        (["probe", "127.0.0.1", "nothing"], "there are: demo_rack"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "says",
)
def test_a_wrong_input_is_one_line_that_says_what_to_do(
    tmp_path: Path, arguments: list[str], says: str
) -> None:
    done = run(tmp_path, *arguments)
    assert done.returncode == 1
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_check_names_the_point_and_the_reason(tmp_path: Path) -> None:
    file = tmp_path / "bms.yaml"
    text = (MAPS_DIR / "keti_bank.yaml").read_text(encoding="utf-8")
    file.write_text(text.replace("address: 3, type: s16", "address: 3, type: s32", 1), encoding="utf-8")
    done = run(tmp_path, "check", str(file))
    assert done.returncode == 1
    assert "point current" in done.stderr
    assert "word_order" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_simulated_device_is_probed_well_and_ends_at_sigint(tmp_path: Path) -> None:
    arguments = ("demo_rack", "--set", "max_cell_temperature=51.5", "--unit", "3")
    with simulating(tmp_path, *arguments) as (process, port, line):
        assert "serving map demo_rack version 1" in line
        done = run(
            tmp_path, "probe", "127.0.0.1", "demo_rack", "--port", str(port), "--unit", "3", "--pause", "0"
        )
        process.send_signal(signal.SIGINT)
        process.wait(timeout=DEADLINE_S)
        # Not communicate(): it reads the bare pipe and loses what readline() has already taken from it.
        assert process.stdout is not None
        assert process.stderr is not None
        printed, errors = process.stdout.read(), process.stderr.read()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "14 of 14 points read in 3 samples of 2 requests" in done.stdout
    assert re.search(r"max_cell_temperature +│ 7 input +│ 51.5 °C", done.stdout), done.stdout
    assert "the plan fits" in done.stdout
    assert "writable: current_limit at holding register 40" in printed
    assert "requests answered" in printed
    assert process.returncode == 0
    assert errors == ""


def test_a_probe_that_finds_something_wrong_names_it_first_and_ends_with_1(tmp_path: Path) -> None:
    simulation = Simulation(bundled_map("keti_testbed"), faults=parse_faults(["exception:2@5003"]))
    with serve_map(simulation) as device:
        done = run(
            tmp_path, "probe", "127.0.0.1", "keti_testbed", "--port", str(device.port), "--pause", "0", "--samples", "1"
        )  # fmt: skip
    assert done.returncode == 1
    first_row = next(line for line in done.stdout.splitlines() if line.startswith("│"))
    assert "rack1_module1_cell4_voltage" in first_row
    assert "refused" in first_row
    assert "wrong: rack1_module1_cell4_voltage at register 5003: answered exception 2" in done.stdout
    assert "2593 of 2594 points read" in done.stdout
    assert "more points: --all shows them" in done.stdout


def test_a_probe_of_a_dead_address_ends_with_2(tmp_path: Path) -> None:
    with refusing_port() as port:
        done = run(tmp_path, "probe", "127.0.0.1", "keti_bank", "--port", str(port))
    assert done.returncode == 2
    assert f"cannot be reached: connection refused by 127.0.0.1:{port}" in done.stdout


def test_simulate_says_that_its_port_is_taken(tmp_path: Path) -> None:
    with serve_map(bundled_map("keti_bank")) as device:
        done = run(tmp_path, "simulate", "keti_bank", "--port", str(device.port))
    assert done.returncode == 1
    assert "choose a free port with --port" in done.stderr


def test_every_fault_is_listed_with_what_it_does(tmp_path: Path) -> None:
    printed = run(tmp_path, "faults").stdout
    assert "exception:2@1004" in printed
    assert "registers between the points are passed over without a word" in printed
