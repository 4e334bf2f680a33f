from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench import __main__ as command
from bench import importing, many_sets, minute_latency, polling, validation
from bench.figure import Figure

FAST = Figure("a minute", 0.1, "the loop", 200.0, 2000.0, ">= 1,000x faster", True)
SLOW = Figure("minute mark to SoS", 9.0, "an empty task", 1.0, 9.0, "median <= 5 s", False)


@pytest.fixture
def latest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(command, "LATEST", tmp_path / "latest.json")
    monkeypatch.setattr(many_sets, "measure", lambda _notice, *, full: [FAST])  # noqa: ARG005
    monkeypatch.setattr(minute_latency, "measure", lambda _notice, *, minutes: [SLOW])  # noqa: ARG005
    monkeypatch.setattr(polling, "measure", lambda _notice: [FAST])
    monkeypatch.setattr(validation, "measure", lambda _notice: [FAST])
    monkeypatch.setattr(importing, "measure", lambda _notice, *, rows: [FAST])  # noqa: ARG005
    return tmp_path / "latest.json"


def test_all_figures_are_printed_and_written_met_or_not(
    latest: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command.main()
    assert [row["met"] for row in json.loads(latest.read_text())] == [True, True, False, True, True]
    shown = capsys.readouterr().out
    assert "yes" in shown
    assert "no" in shown


def test_a_part_of_the_figures_does_not_replace_the_file_of_all(latest: Path) -> None:
    command.main(only=[command.Row.SETS])
    assert not latest.exists()
