"""The saved rack comes back as it was, or not at all, and never half."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sos_ops.modbus.simulator import state_file
from sos_ops.modbus.simulator.rack import advance, build_rack, rack_at_rest
from sos_ops.modbus.simulator.scenario import feed_of
from sos_ops.modbus.simulator.state_file import FILE_NAME, SavedRack, load, save
from sos_ops.settings import Scenario


def a_rack(age_s: float) -> SavedRack:
    rack = build_rack(3)
    state = advance(rack, rack_at_rest(rack, soc=0.55, air_c=25.8), age_s, feed_of(Scenario.OVERHEAT, 0))
    return SavedRack(3, Scenario.OVERHEAT, 0, datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC), state)


def test_a_saved_rack_comes_back_to_the_last_bit(tmp_path: Path) -> None:
    saved = a_rack(333.25)
    save(tmp_path / "made" / "for_it", saved)
    assert load(tmp_path / "made" / "for_it") == saved


def test_no_file_is_no_rack_and_no_complaint(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert load(tmp_path) is None
    assert caplog.text == ""


def broken(change: dict[str, Any], state_change: dict[str, Any]) -> bytes:
    document = json.loads(state_file._JSON.dump_json(a_rack(10)))
    document |= change
    document["state"] |= state_change
    return json.dumps(document).encode()


WHOLE = broken({}, {})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 4096,
        b"\xff\xfe",
        WHOLE[: len(WHOLE) // 2],
        b"{}",
        b"[]",
        broken({"scenario": "flood"}, {}),
        broken({"seed": -1}, {}),
        broken({"seen_at": "2026-03-01T12:00:00"}, {}),
        broken({}, {"soc": float("nan")}),
        broken({}, {"soc": 1.5}),
        broken({}, {"age_s": -5}),
        broken({}, {"cell_temperatures_c": [25.0] * 203}),
        broken({}, {"cell_temperatures_c": [25.0] * 203 + [1e300]}),
        broken({}, {"module_temperatures_c": None}),
    ],
)
def test_a_damaged_file_is_said_in_one_line_and_not_used(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    with caplog.at_level(logging.INFO):
        assert load(tmp_path) is None
    (message,) = caplog.messages
    assert "starting with a fresh rack" in message
    assert "\n" not in message


def test_the_undamaged_file_of_these_tests_is_used(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(WHOLE)
    assert load(tmp_path) == a_rack(10)


def test_a_write_that_fails_leaves_the_rack_saved_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, a_rack(10))

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path, a_rack(20))
    assert load(tmp_path) == a_rack(10)


def test_what_is_saved_is_on_the_disk_before_it_replaces_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[str] = []
    flush, rename = os.fsync, Path.replace

    def noted_flush(descriptor: int) -> None:
        order.append("flushed")
        flush(descriptor)

    def noted_rename(path: Path, target: Path) -> Path:
        order.append("renamed")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", noted_flush)
    monkeypatch.setattr(Path, "replace", noted_rename)
    save(tmp_path, a_rack(10))
    assert order == ["flushed", "renamed"]
