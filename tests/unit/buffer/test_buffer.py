"""What is kept on disk is kept whole: exact values and times, checksums, a bound, and nothing dropped silently."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sos_ops.buffer.buffer import Buffer, BufferRefusalError
from sos_ops.buffer.documents import batch_document, batch_of, catalogue_document, catalogue_of
from sos_ops.buffer.files import UNFINISHED, DamagedFileError, pack, unpack
from sos_ops.clock import MINUTE, ClockSetting
from sos_ops.errors import SosOpsError
from sos_ops.modbus.decode import Quality
from sos_ops.modbus.failures import FailureReason
from sos_ops.modbus.poll import (
    PointReading,
    PollOutcome,
    PollResult,
    QuarantineChange,
    Quarantined,
    RawBlock,
)
from sos_ops.modbus.protocol_map import ReadFunction, RegisterRange, bundled_map
from sos_ops.store.devices import Device
from sos_ops.store.gateways import Gateway, LaneChange
from sos_ops.store.polling import Learnt, PollBatch, PolledDevice, PollingCatalogue
from sos_ops.store.readings import DevicePoll
from tests.support.batches import batch, poll_of

TEN = datetime(2026, 3, 1, 0, 10, tzinfo=UTC)
AT = TEN + timedelta(seconds=3, microseconds=123457)


@pytest.fixture
def buffer(tmp_path: Path) -> Buffer:
    return Buffer(tmp_path / "buffer", 10_000_000)


def everything() -> PollBatch:
    """A batch that uses every field, with values that no decimal notation of few digits holds."""
    points = (
        PointReading("max_cell_temperature", 0.1 + 0.2, None, Quality.GOOD, "°C", AT),
        PointReading("min_cell_temperature", None, 150.00000000000003, Quality.IMPLAUSIBLE_SAFE, "°C", AT),
        PointReading("energy", 5e-324, None, Quality.GOOD, "kWh", AT),
        PointReading("serial", None, None, Quality.GOOD, "", AT, "랙-1 \x00"),
    )
    raw = (RawBlock(ReadFunction.HOLDING, 65535, (0,), AT), RawBlock(ReadFunction.INPUT, 0, (65535, 1), AT))
    ended, cause = AT + timedelta(microseconds=1), FailureReason.QUARANTINE
    partial = PollResult("rack-1", AT, ended, PollOutcome.PARTIAL, cause, "1 of 14", points, raw)
    change = QuarantineChange("found", RegisterRange(ReadFunction.INPUT, 7, 2), ("soc",), "exception 2", AT)
    failed = poll_of(2, TEN, None, map_id=None)
    lane = LaneChange(Gateway("10.0.0.5", 502), True, AT)
    return PollBatch(TEN, (DevicePoll(1, 3, partial), failed), (Learnt(1, (change,)),), (lane,))


def test_a_batch_comes_back_exactly_as_it_was_kept(buffer: Buffer) -> None:
    assert batch_of(unpack(pack(batch_document(everything())))) == everything()
    assert buffer.load(buffer.keep(everything(), "quick")) == everything()


def test_the_catalogue_comes_back_exactly_as_it_was_saved(buffer: Buffer) -> None:
    device = Device(1, "rack-1", "testbed", "BMS.local", 502, 1, "keti_bank", AT)
    bad = Quarantined(ReadFunction.INPUT, 7, 1, ("soc",), "exception 2", AT, AT + timedelta(minutes=10))
    known = PollingCatalogue(
        clock=ClockSetting(AT, TEN, 1.5),
        devices=(
            PolledDevice(device, 4, None, (bad,), TEN, TEN),
            PolledDevice(device, None, "no map", ()),
        ),
        maps={4: bundled_map("keti_bank")},
        slow=frozenset({Gateway("bms.local", 502)}),
    )
    assert catalogue_of(catalogue_document(known)) == known
    buffer.save_catalogue(known)
    assert buffer.load_catalogue() == known


def test_what_waits_comes_oldest_minute_first(buffer: Buffer) -> None:
    for minute in (3, 1, 2):
        buffer.keep(batch(TEN + minute * MINUTE, poll_of(1, TEN, {"soc": minute})), "quick")
    minutes = [buffer.load(path).minute for path in buffer.waiting()]
    assert minutes == [TEN + n * MINUTE for n in (1, 2, 3)]
    state = buffer.state()
    assert (state.minutes, state.files, state.oldest, state.set_aside) == (3, 3, TEN + MINUTE, 0)


def test_two_lanes_of_a_minute_are_one_minute_that_waits(buffer: Buffer) -> None:
    buffer.keep(batch(TEN, poll_of(1, TEN, {"soc": 1})), "quick")
    buffer.keep(batch(TEN, poll_of(2, TEN, {"soc": 1})), "slow")
    assert (buffer.state().minutes, buffer.state().files) == (1, 2)
    assert buffer.devices_waiting(TEN) == {1, 2}
    assert buffer.devices_waiting(TEN + MINUTE) == set()


@pytest.mark.parametrize("kept", [0, 1, 20, 60, -1])
def test_a_torn_file_is_told_wherever_it_is_torn(buffer: Buffer, kept: int) -> None:
    path = buffer.keep(everything(), "quick")
    content = path.read_bytes()
    path.write_bytes(content[:kept])
    with pytest.raises(DamagedFileError):
        buffer.load(path)


def test_a_file_with_any_single_byte_altered_is_told(buffer: Buffer) -> None:
    path = buffer.keep(batch(TEN, poll_of(1, TEN, {"soc": 50.0})), "quick")
    content = bytearray(path.read_bytes())
    whole = buffer.load(path)
    for position in range(len(content)):
        altered = bytearray(content)
        altered[position] ^= 0x01
        path.write_bytes(altered)
        try:
            assert buffer.load(path) == whole  # only where the byte says nothing, as a space in the header
        except DamagedFileError:
            continue


def test_a_file_of_a_newer_format_is_not_guessed_at(buffer: Buffer) -> None:
    path = buffer.keep(everything(), "quick")
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(DamagedFileError, match="format is 2"):
        buffer.load(path)


def test_a_full_buffer_refuses_the_new_and_drops_nothing_old(tmp_path: Path) -> None:
    buffer = Buffer(tmp_path / "buffer", 2_000)
    one = batch(TEN, poll_of(1, TEN, {"soc": 1.0}))
    kept = [buffer.keep(one, "quick")]
    while 2_000 - buffer.state().size > kept[0].stat().st_size:
        kept.append(buffer.keep(one, "quick"))
    with pytest.raises(BufferRefusalError, match="SOS_BUFFER_MB"):
        buffer.keep(one, "quick")
    assert buffer.waiting() == sorted(kept)
    assert sum(path.stat().st_size for path in kept) <= 2_000


def test_a_folder_that_cannot_be_written_is_a_refusal_that_says_why(tmp_path: Path) -> None:
    (tmp_path / "buffer").write_text("a file where the folder should be")
    with pytest.raises(BufferRefusalError, match="cannot be written"):
        Buffer(tmp_path / "buffer", 1_000_000).keep(everything(), "quick")


def test_files_set_aside_are_kept_and_counted(buffer: Buffer) -> None:
    path = buffer.keep(everything(), "quick")
    there = buffer.set_aside(path)
    assert there.exists()
    assert buffer.waiting() == []
    assert buffer.state().set_aside == 1


def test_without_a_catalogue_the_reason_is_told(buffer: Buffer) -> None:
    with pytest.raises(SosOpsError, match="no minute was polled"):
        buffer.load_catalogue()


def test_a_damaged_catalogue_is_no_catalogue(buffer: Buffer) -> None:
    buffer.save_catalogue(PollingCatalogue(ClockSetting(AT, AT, 1.0), (), {}, frozenset()))
    file = buffer.folder / "catalogue"
    file.write_bytes(file.read_bytes()[:-3])
    with pytest.raises(SosOpsError, match="torn"):
        buffer.load_catalogue()


def test_one_process_drains_at_a_time(buffer: Buffer) -> None:
    buffer.keep(everything(), "quick")
    ask = (
        "import sys; from pathlib import Path; from sos_ops.buffer.buffer import Buffer\n"
        "with Buffer(Path(sys.argv[1]), 1).draining() as may: print(may)"
    )

    def another_may() -> str:
        return subprocess.run(
            [sys.executable, "-c", ask, str(buffer.folder)], check=True, capture_output=True, text=True
        ).stdout.strip()

    with buffer.draining() as may:
        assert may
        assert another_may() == "False"
    assert another_may() == "True"


def test_what_a_killed_writer_left_unfinished_is_never_taken_for_a_batch(buffer: Buffer) -> None:
    whole = buffer.keep(everything(), "quick")
    young, old = (buffer.folder / f"{UNFINISHED}{name}" for name in ("young", "old"))
    for path in (young, old):
        path.write_bytes(whole.read_bytes()[:50])
    hour_ago = time.time() - 3600
    os.utime(old, (hour_ago, hour_ago))
    with buffer.draining():
        assert buffer.waiting() == [whole]
    assert young.exists()
    assert not old.exists()
