"""What `sos-ops status` knows of devices, gateways and the buffer."""

from __future__ import annotations

from pathlib import Path

import pytest

from sos_ops.buffer.buffer import Buffer
from sos_ops.cli import status_view
from sos_ops.modbus.decode import Quality
from sos_ops.modbus.poll import PointReading, PollOutcome, PollResult, QuarantineChange
from sos_ops.modbus.protocol_map import ReadFunction, RegisterRange
from sos_ops.pipeline.poll_report import PollReport, doubtful_devices
from sos_ops.settings import get_settings
from sos_ops.store.devices import add_device
from sos_ops.store.doubtful import DoubtfulReading
from sos_ops.store.explanations import explain
from sos_ops.store.gateways import Gateway, LaneChange
from sos_ops.store.maps import newest_map
from sos_ops.store.polling import Learnt, PollBatch, store_batch
from sos_ops.store.readings import DevicePoll
from sos_ops.store.status import read_status
from tests.support.batches import batch, poll_of
from tests.support.database import Database
from tests.support.plant import TEMPERATURE, at, furnish, make_set, offer, run_live


@pytest.fixture
def platform(database: Database) -> Database:
    """A device whose gateway is slow and which does not answer for one register."""
    database.set_clock(at(10))
    where = RegisterRange(ReadFunction.INPUT, 7, 2)
    change = QuarantineChange("found", where, ("soc",), "exception 2", at(10))
    lane = LaneChange(Gateway("bms", 502), True, at(10))
    with database.connect() as connection:
        add_device(
            connection,
            name="rack-1",
            site="testbed",
            host="bms",
            port=502,
            unit_id=1,
            protocol_map="keti_bank",
        )
        store_batch(connection, PollBatch(at(10), learnt=(Learnt(1, (change,)),), lanes=(lane,)))
    return database


def test_the_status_names_registers_in_quarantine_and_slow_gateways(platform: Database) -> None:
    with platform.connect() as connection:
        status = read_status(connection)
    (device,) = status.devices
    (entry,) = device.quarantined
    assert (entry.points, entry.function, entry.start, entry.count) == (("soc",), "input", 7, 2)
    assert [(slow.gateway, slow.since) for slow in status.slow_gateways] == [("bms:502", at(10))]


def test_the_status_command_tells_them_and_what_waits_in_the_buffer(
    platform: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOS_HOME", str(tmp_path))
    get_settings.cache_clear()
    monkeypatch.setattr(status_view, "connect", platform.connect)
    buffer = Buffer.of(get_settings())
    for minute in (8, 9):
        buffer.keep(batch(at(minute), poll_of(1, at(minute), {"soc": 1.0})), "quick")
    buffer.set_aside(buffer.keep(batch(at(7)), "quick"))
    try:
        status_view.print_status(as_json=False)
        told = " ".join(capsys.readouterr().out.split())
        status_view.print_status(as_json=True)
        assert '"minutes": 2' in capsys.readouterr().out
    finally:
        get_settings.cache_clear()
    assert "2 minutes since 2026-03-01 00:08:00 UTC (09:08:00 KST) wait in the buffer" in told
    assert "1 files of the buffer could not be stored and were set aside" in told
    assert "in quarantine: soc (input 7 to 8: exception 2)" in told
    assert "gateway bms:502 is slow since" in told


DOUBTFUL = (
    PointReading("soc", 60.0, None, Quality.GOOD, "%", at(10, 2)),
    PointReading("voltage", 75.0, None, Quality.IMPLAUSIBLE_DANGEROUS, "V", at(10, 2)),
    PointReading("max_cell_temperature", None, -60.0, Quality.IMPLAUSIBLE_SAFE, "°C", at(10, 2)),
    PointReading("max_humidity", None, None, Quality.NOT_IMPLEMENTED, "%", at(10, 2)),
    PointReading("min_humidity", None, None, Quality.NOT_IMPLEMENTED, "%", at(10, 2)),
)


def store_readings(
    database: Database, *readings: PointReading, minute: float = 10, complete: bool = True
) -> PollResult:
    """A poll of the device with these readings, or one that failed."""
    outcome = PollOutcome.COMPLETE if complete else PollOutcome.FAILED
    reason = None if complete else "refused"
    result = PollResult("rack-1", at(minute, 1), at(minute, 2), outcome, None, reason, readings)
    with database.connect() as connection:
        map_id = newest_map(connection, "keti_bank").map_id
        store_batch(connection, PollBatch(at(minute), (DevicePoll(1, map_id, result),)))
    return result


def status_lines(
    database: Database, home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What `sos-ops status` prints, without its line breaks."""
    monkeypatch.setenv("SOS_HOME", str(home))
    get_settings.cache_clear()
    monkeypatch.setattr(status_view, "connect", database.connect)
    try:
        status_view.print_status(as_json=False)
    finally:
        get_settings.cache_clear()
    return " ".join(capsys.readouterr().out.split())


def test_the_status_names_the_doubtful_values_of_a_device_and_counts_what_it_does_not_implement(
    platform: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store_readings(platform, *DOUBTFUL)
    assert (
        "2 values doubtful: max_cell_temperature -60 °C (implausible, set aside), voltage 75 V (implausible, counts);"
        " 2 not implemented by the device"
    ) in status_lines(platform, tmp_path, monkeypatch, capsys)


def test_doubts_stay_while_the_device_is_silent_and_end_with_its_next_good_readings(
    platform: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store_readings(platform, *DOUBTFUL)
    store_readings(platform, minute=11, complete=False)
    assert "2 values doubtful" in status_lines(platform, tmp_path, monkeypatch, capsys)
    store_readings(platform, DOUBTFUL[0], minute=12)
    assert "doubtful" not in status_lines(platform, tmp_path, monkeypatch, capsys)


def test_many_doubtful_values_are_a_few_names_and_a_count(
    platform: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = ("a", "b", "c", "d", "e", "f")
    store_readings(platform, *(PointReading(n, None, None, Quality.NOT_FINITE, "", at(10, 2)) for n in names))
    told = status_lines(platform, tmp_path, monkeypatch, capsys)
    assert "6 values doubtful: a (not finite, set aside)" in told
    assert "d (not finite, set aside) and 2 more" in told
    assert "e (not" not in told


def test_the_explanation_of_a_stale_tag_names_what_was_set_aside(platform: Database) -> None:
    platform.set_clock(at(5, 30))
    furnish(platform, {"over_temp": TEMPERATURE})
    make_set(platform, "over_temp")
    offer(platform, "keti", [(at(6), "over_temp", 20.0)])
    store_readings(platform, *DOUBTFUL)
    run_live(platform, at(10, 10))
    with platform.connect() as connection:
        (part,) = explain(connection, 1, at(10)).parts
    assert part.missing_detail == (
        "the newest result was 240 s old, and counts for less than 180 s;"
        " device rack-1: max_cell_temperature -60 °C (implausible, set aside)"
    )


def test_the_line_of_a_poll_counts_what_was_set_aside_or_marked_and_names_the_devices(
    platform: Database,
) -> None:
    result = store_readings(platform, *DOUBTFUL)
    report = PollReport(at(10), 1, (), (), 0, 5, 0, doubtful=doubtful_devices([result]))
    assert report.line() == (
        "2026-03-01 00:10 UTC: 1 of 1 devices read, 5 readings; 2 values doubtful: rack-1 (1 set aside, 1 marked)"
    )


@pytest.mark.parametrize("quality", Quality)
def test_a_reading_of_any_quality_can_be_told(quality: Quality) -> None:
    assert str(DoubtfulReading("soc", None, None, "%", quality)).startswith("soc (")
