"""The platform's database away: devices are read, nothing that was read is lost or doubled, all is stored on return."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime

import pytest

from sos_ops.buffer.buffer import Buffer, BufferRefusalError
from sos_ops.engines.limits import RULES
from sos_ops.errors import DatabaseUnavailableError
from sos_ops.pipeline.analyse import analyse_new_readings
from sos_ops.pipeline.keep_house import redo_late_minutes
from sos_ops.pipeline.poll import poll_minute, poll_slow_minute
from sos_ops.pipeline.score import close_minutes
from sos_ops.pipeline.validate import validate_new
from sos_ops.settings import Settings
from sos_ops.store.clock import read_clock
from sos_ops.store.devices import add_device
from sos_ops.store.maps import save_map
from tests.support import faulty_modbus as faults
from tests.support.batches import batch, poll_of
from tests.support.database import Cluster, Database, Server, running_server
from tests.support.faulty_modbus import Exchange, FaultyModbusServer, Request
from tests.support.invariants import broken_invariants
from tests.support.maps import small_map
from tests.support.plant import PACE, at, furnish, make_set, run_live, sos_rows
from tests.support.travel import traveller

WARM = {5: 4050, 6: 3980, 7: 460, 8: 212}
FOUR = sorted(rule.name for rule in RULES)


def warm(_unit: int, address: int) -> int:
    return WARM.get(address, 100)


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of this module's own, which its tests stop and start."""
    with running_server() as running:
        yield running


@pytest.fixture
def own(server: Server) -> Iterator[Database]:
    """A fresh database there, of the four limit tags, one set and two devices; the server runs again at the end."""
    with Cluster(server.settings).fresh_database() as database:
        try:
            yield furnished(database)
        finally:
            server.stop()
            server.start()


def furnished(database: Database) -> Database:
    database.set_clock(at(9, 30))
    furnish(database, {rule.name: rule.limits for rule in RULES})
    make_set(database, *FOUR)
    with database.connect() as connection:
        save_map(connection, small_map())
    return database


@pytest.fixture
def bms() -> Iterator[FaultyModbusServer]:
    with FaultyModbusServer(value_of=warm) as serving:
        yield serving


def place(database: Database, *ports: int) -> None:
    with database.connect() as connection:
        for number, port in enumerate(ports):
            add_device(
                connection, name=f"rack-{number}", site="testbed", host="127.0.0.1", port=port, unit_id=number,
                protocol_map="small",
            )  # fmt: skip


@pytest.fixture
def travel(own: Database, monkeypatch: pytest.MonkeyPatch) -> Callable[[datetime], None]:
    """To another minute, for polls that cannot ask the database what time it is."""
    own.set_clock(at(10, 2), rate=PACE)
    with own.connect() as connection:
        return traveller(monkeypatch, read_clock(connection))


def counts(database: Database) -> dict[str, int]:
    tables = ("reading", "raw_block")
    found = {table: database.value(f"select count(*) from sos_ops.{table}") for table in tables}  # noqa: S608
    outcomes = database.rows("select outcome, count(*) from sos_ops.poll group by outcome")
    return found | {str(outcome): int(number) for outcome, number in outcomes}


def whole(database: Database) -> bool:
    with database.connect() as connection:
        return broken_invariants(connection) == {}


def test_minutes_polled_without_database_are_all_stored_once_on_its_return(
    server: Server, own: Database, bms: FaultyModbusServer, travel: Callable[[datetime], None]
) -> None:
    place(own, bms.port, bms.port)
    assert poll_minute(own.connect).complete == 2
    server.stop()
    for number, minute in enumerate(range(11, 18), start=1):
        travel(at(minute, 2))
        report = poll_minute(own.connect)
        assert (report.complete, report.kept, report.waiting) == (2, 2, number)
        assert (
            f"database away: 2 devices read and kept in the buffer ({number} minutes waiting)"
            in report.line()
        )
        assert not report.nothing_read
    server.start()
    travel(at(18, 2))
    back = poll_minute(own.connect)
    assert (back.complete, back.drained, back.waiting, back.closed, back.database_away) == (2, 7, 0, 0, None)
    assert counts(own) == {"reading": 9 * 2 * 4, "raw_block": 9 * 2, "complete": 9 * 2}
    assert (
        own.value("select count(*) from sos_ops.reading where read_at < minute or read_at > minute + '17 s'")
        == 0
    )
    assert whole(own)
    assert len(bms.requests) == 9 * 2

    own.set_clock(at(18, 18))
    assert analyse_new_readings(own.connect).minutes == 9
    run_live(own, at(18, 20))
    rows = sos_rows(own)
    assert [rows[at(minute), 1].known for minute in range(10, 19)] == [4] * 9


def test_a_database_that_vanishes_between_reading_and_storing_costs_nothing(
    server: Server, own: Database, travel: Callable[[datetime], None]
) -> None:
    def take_the_database_away(exchange: Exchange) -> object:
        async def answer() -> None:
            server.stop()
            await faults.honest(exchange)

        return answer()

    with FaultyModbusServer(then=take_the_database_away, value_of=warm) as bms:  # type: ignore[arg-type]
        place(own, bms.port)
        report = poll_minute(own.connect)
        assert (report.complete, report.kept, report.waiting) == (1, 1, 1)
        assert len(bms.requests) == 1
        again = poll_minute(own.connect)  # as Airflow's retry would
        assert (again.already, again.complete) == (1, 0)
        assert len(bms.requests) == 1
    server.start()
    travel(at(10, 25))
    assert poll_minute(own.connect).drained == 1
    assert counts(own) == {"reading": 4, "raw_block": 1, "complete": 1}


def test_without_a_catalogue_the_step_fails_with_the_reason(server: Server, own: Database) -> None:
    server.stop()
    with pytest.raises(DatabaseUnavailableError, match="no minute was polled with the database yet"):
        poll_minute(own.connect)


def test_with_a_damaged_catalogue_the_step_fails_with_the_reason(
    server: Server, own: Database, bms: FaultyModbusServer, travel: Callable[[datetime], None], home: Settings
) -> None:
    place(own, bms.port)
    poll_minute(own.connect)
    catalogue = home.home / "buffer" / "catalogue"
    catalogue.write_bytes(catalogue.read_bytes()[:-1])
    server.stop()
    travel(at(11, 2))
    with pytest.raises(DatabaseUnavailableError, match="catalogue cannot be used: it is torn"):
        poll_minute(own.connect)


def test_a_full_buffer_refuses_the_new_minute_loudly_and_keeps_the_old_ones(
    server: Server,
    own: Database,
    bms: FaultyModbusServer,
    travel: Callable[[datetime], None],
    monkeypatch: pytest.MonkeyPatch,
    home: Settings,
) -> None:
    place(own, bms.port)
    poll_minute(own.connect)
    small = Buffer(home.home / "buffer", Buffer.of(home).state().size + 2500)
    monkeypatch.setattr(Buffer, "of", lambda _settings: small)
    server.stop()
    kept, refusal = 0, ""
    while not refusal:
        travel(at(11 + kept, 2))
        try:
            assert poll_minute(own.connect).kept == 1
            kept += 1
        except BufferRefusalError as error:
            refusal = str(error)
    assert "1 devices read and lost" in refusal
    assert "SOS_BUFFER_MB" in refusal
    assert kept > 0
    assert small.state().minutes == kept
    server.start()
    travel(at(40, 2))
    assert poll_minute(own.connect).drained == kept
    assert counts(own)["complete"] == kept + 2
    assert whole(own)


def test_a_full_buffer_does_not_matter_while_the_database_is_there(
    own: Database, bms: FaultyModbusServer, monkeypatch: pytest.MonkeyPatch, home: Settings
) -> None:
    own.set_clock(at(10, 2), rate=PACE)
    place(own, bms.port)
    monkeypatch.setattr(Buffer, "of", lambda _settings: Buffer(home.home / "buffer", 10))
    report = poll_minute(own.connect)
    assert (report.complete, report.readings) == (1, 4)
    assert "is full" in report.problems[0]


def test_a_torn_file_costs_only_itself(
    server: Server, own: Database, bms: FaultyModbusServer, travel: Callable[[datetime], None], home: Settings
) -> None:
    place(own, bms.port)
    poll_minute(own.connect)
    server.stop()
    for minute in (11, 12, 13):
        travel(at(minute, 2))
        poll_minute(own.connect)
    torn = Buffer.of(home).waiting()[1]
    torn.write_bytes(torn.read_bytes()[:100])
    server.start()
    travel(at(14, 2))
    report = poll_minute(own.connect)
    assert report.drained == 2
    assert torn.name in report.line()
    assert own.rows("select minute, last_minute, reason from sos_ops.poll where outcome = 'failed'") == [
        (at(12), at(12), "no run polled this minute")
    ]
    assert whole(own)


def test_what_is_learnt_without_database_is_known_to_the_next_minute_and_stored_on_return(
    server: Server, own: Database, travel: Callable[[datetime], None]
) -> None:
    broken: list[bool] = []

    def sometimes_bad(request: Request) -> faults.Fault:
        bad = broken and request.address <= 8 < request.address + request.count
        return faults.exception(2) if bad else faults.honest

    with FaultyModbusServer(choose=sometimes_bad, value_of=warm) as bms:
        place(own, bms.port)
        poll_minute(own.connect)
        server.stop()
        broken.append(True)
        travel(at(11, 2))
        assert "min_cell_temperature" in poll_minute(own.connect).line()
        asked = len(bms.requests)
        travel(at(12, 2))
        poll_minute(own.connect)
        assert len(bms.requests) == asked + 1  # not searched for again
        server.start()
        travel(at(13, 2))
        assert poll_minute(own.connect).drained == 2
    assert own.rows("select points, since < %s from sos_ops.quarantined_register", at(12)) == [
        (["min_cell_temperature"], True)
    ]


def test_the_slow_lane_works_without_database_too(
    server: Server, own: Database, bms: FaultyModbusServer, travel: Callable[[datetime], None]
) -> None:
    place(own, bms.port)
    poll_minute(own.connect)
    own.run("insert into sos_ops.gateway values ('127.0.0.1', %s, true, %s)", bms.port, at(10))
    travel(at(11, 2))
    assert poll_minute(own.connect).slow_gateways == 1
    server.stop()
    travel(at(12, 2))
    assert poll_minute(own.connect).slow_gateways == 1
    travel(at(12, 18))
    assert poll_slow_minute(own.connect).kept == 1
    travel(at(13, 2))
    assert poll_minute(own.connect).complete == 1  # it was quick: back in the quick lane
    server.start()
    travel(at(14, 2))
    assert poll_minute(own.connect).complete == 1
    assert own.rows("select minute, outcome from sos_ops.poll order by 1") == [
        (at(10), "complete"),
        (at(11), "failed"),
        (at(12), "complete"),
        (at(13), "complete"),
        (at(14), "complete"),
    ]
    assert own.rows("select slow from sos_ops.gateway") == [(False,)]
    assert whole(own)


def test_readings_that_come_long_after_their_minute_was_closed_revise_its_sos(
    database: Database, home: Settings
) -> None:
    plant = furnished(database)
    place(plant, 1)
    run_live(plant, at(10, 20))
    plant.set_clock(at(30, 2))
    poll_minute(plant.connect)
    run_live(plant, at(30, 20))
    assert sos_rows(plant)[at(12), 1].known == 0
    values = dict(zip(("max_cell_temperature", "min_cell_temperature"), (46.0, 21.2), strict=True))
    volts = dict(zip(("max_cell_voltage", "min_cell_voltage"), (4.05, 3.98), strict=True))
    for minute in (11, 12):
        Buffer.of(home).keep(
            batch(at(minute), poll_of(1, at(minute), values | volts, device="rack-0")), "quick"
        )
    plant.set_clock(at(31, 2))
    assert poll_minute(plant.connect).drained == 2
    assert analyse_new_readings(plant.connect).results == 8
    validate_new(plant.connect)
    with plant.connect() as connection:
        list(close_minutes(connection))
    assert sos_rows(plant)[at(12), 1].known == 0
    assert redo_late_minutes(plant.connect).revised > 0
    row = sos_rows(plant)[at(12), 1]
    assert (row.known, row.value is not None) == (4, True)
    assert whole(plant)


DYING_POLL = """
import os, signal, sys
from pathlib import Path
import psycopg
from sos_ops.buffer import buffer as module
from sos_ops.pipeline import poll, poll_step
from sos_ops.store.connection import connect

left = int(sys.argv[2])
reached = 0

def dying(original):
    def call(*args, **kwargs):
        global left, reached
        left -= 1
        reached += 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(*args, **kwargs)
    return call

for name in ("execute", "commit"):
    setattr(psycopg.Connection, name, dying(getattr(psycopg.Connection, name)))
psycopg.Cursor.copy = dying(psycopg.Cursor.copy)
for name in ("unlink", "rename"):
    setattr(Path, name, dying(getattr(Path, name)))
read_devices = poll_step.poll_devices

def told(*args):
    results = read_devices(*args)
    print("read at", reached, flush=True)
    return results

poll_step.poll_devices = told
poll.poll_minute(lambda: connect(sys.argv[1]))
print("reached", reached)
"""


def dying_poll(database: Database, step: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", DYING_POLL, database.url, str(step)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_a_poll_that_is_killed_after_it_has_read_loses_and_doubles_nothing(
    cluster: Cluster, database: Database, bms: FaultyModbusServer, home: Settings
) -> None:
    plant = furnished(database)
    place(plant, bms.port, bms.port)
    plant.set_clock(at(10, 2))
    with cluster.fresh_database(like=plant) as undisturbed:
        whole_run = dying_poll(undisturbed, 1_000_000)
        assert whole_run.returncode == 0, whole_run.stderr
        read, reached = (int(line.split()[-1]) for line in whole_run.stdout.splitlines())
        expected = counts(undisturbed)
    assert expected == {"reading": 8, "raw_block": 2, "complete": 2}
    kept_after = read + 2  # the file's rename is the next step: from then on it is kept
    with ExitStack() as stack:
        for point in sorted({kept_after, *range(kept_after + 1, reached, 3), reached}):
            struck = stack.enter_context(cluster.fresh_database(like=plant))
            for path in Buffer.of(home).waiting():
                path.unlink()
            died = dying_poll(struck, point)
            assert died.returncode == -signal.SIGKILL, died.stderr
            poll_minute(struck.connect)
            assert counts(struck) == expected, f"killed at step {point} of {reached}"
            assert Buffer.of(home).waiting() == []
            assert whole(struck)
