"""What `sos-ops status` knows of devices, gateways and the buffer."""

from __future__ import annotations

from pathlib import Path

import pytest

from sos_ops.buffer.buffer import Buffer
from sos_ops.cli import status_view
from sos_ops.modbus.poll import QuarantineChange
from sos_ops.modbus.protocol_map import ReadFunction, RegisterRange
from sos_ops.settings import get_settings
from sos_ops.store.devices import add_device
from sos_ops.store.gateways import Gateway, LaneChange
from sos_ops.store.polling import Learnt, PollBatch, store_batch
from sos_ops.store.status import read_status
from tests.support.batches import batch, poll_of
from tests.support.database import Database
from tests.support.plant import at


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
