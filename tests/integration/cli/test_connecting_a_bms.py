"""docs/connecting-a-bms.md: its maps load, and every command in it does what the page says.

The page's address stands for a simulated device here, `--now` spares the wait for a gap between polls.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from sos_ops.modbus.map_schema import map_schema
from sos_ops.modbus.protocol_map import load_map
from sos_ops.modbus.simulator.map_server import Simulation, serve_map
from tests.integration.cli.test_modbus_commands import DEADLINE_S, SOS_OPS, environment, simulating
from tests.support.database import Database

PAGE = Path(__file__).resolve().parents[3] / "docs" / "connecting-a-bms.md"
TEXT = PAGE.read_text(encoding="utf-8")
MAPS = {
    match[1]: match[0]
    for block in re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    if (match := re.match(r"# (\w+\.yaml)\n.*", block, re.DOTALL))
}
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", TEXT, re.DOTALL)
    for line in block.splitlines()
]
DEVICE = "10.20.0.15"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the page's maps."""
    for name, text in MAPS.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_the_page_has_maps_and_commands_and_nothing_else_in_its_console_blocks() -> None:
    assert set(MAPS) == {"our_bms.yaml", "everything.yaml"}
    assert len(COMMANDS) > 15
    assert all(command.startswith("sos-ops ") for command in COMMANDS)


@pytest.mark.parametrize("name", MAPS)
def test_its_maps_load(folder: Path, name: str) -> None:
    assert load_map(folder / name).name == name.removesuffix(".yaml")


def test_the_language_is_told_completely() -> None:
    language = TEXT[TEXT.index("## 9. The language") : TEXT.index("## 10.")]
    schema = map_schema()
    fields = {name for model in (schema, *schema["$defs"].values()) for name in model.get("properties", {})}
    assert sorted(field for field in fields if not re.search(rf"\b{field}\b", language)) == []


def test_every_command_does_what_the_page_says(folder: Path, database: Database) -> None:
    known = environment(folder, SOS_DATABASE_URL=database.url)
    simulated: dict[str, list[str]] = {}
    with serve_map(Simulation(load_map(folder / "our_bms.yaml"))) as device:
        for command in COMMANDS:
            words = shlex.split(command, comments=True)
            port = words[words.index("--port") + 1] if "--port" in words else None
            if words[:3] == ["sos-ops", "modbus", "simulate"]:
                assert port is not None
                simulated[port] = _without_port(words)
                continue
            if DEVICE in words:
                words = [{DEVICE: "127.0.0.1", "502": str(device.port)}.get(word, word) for word in words]
            if words[:3] == ["sos-ops", "device", "test"]:
                words.append("--now")
            expected = int(match[1]) if (match := re.search(r"# ends with (\d)", command)) else 0
            if port in simulated:
                with simulating(folder, *simulated[port][3:]) as (_, its_port, _line):
                    words[words.index("--port") + 1] = str(its_port)
                    _run(words, expected, known, folder)
            else:
                _run(words, expected, known, folder)
    assert set(simulated) == {"5502", "5503"}


def _without_port(words: list[str]) -> list[str]:
    at = words.index("--port")
    return words[:at] + words[at + 2 :]


def _run(words: list[str], expected: int, known: dict[str, str], folder: Path) -> None:
    done = subprocess.run(
        [str(SOS_OPS), *words[1:]], env=known, cwd=folder, capture_output=True, text=True, timeout=DEADLINE_S
    )
    assert done.returncode == expected, (words, done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
