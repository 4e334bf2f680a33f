"""Polls in the database: one outcome for every minute of a device, in whatever order they are stored."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from itertools import permutations

import psycopg
import pytest

from sos_ops.clock import MINUTE
from sos_ops.errors import SosOpsError, UnknownNameError
from sos_ops.modbus.poll import QuarantineChange
from sos_ops.modbus.protocol_map import ReadFunction, RegisterRange
from sos_ops.store.devices import add_device, change_device, devices, retire_device
from sos_ops.store.gateways import Gateway, LaneChange, slow_gateways
from sos_ops.store.maps import save_map
from sos_ops.store.polling import Learnt, PollBatch, read_catalogue, store_batch
from sos_ops.store.quarantine import quarantined_registers
from sos_ops.store.readings import close_unpolled_minutes, from_bytes, lock_for_polls
from tests.support.batches import batch, poll_of
from tests.support.database import Database
from tests.support.invariants import broken_invariants
from tests.support.maps import small_map
from tests.support.plant import at


@pytest.fixture
def platform(database: Database) -> Database:
    """One device (id 1) of map 1, made at half past the ninth minute."""
    database.set_clock(at(9, 30))
    with database.connect() as connection:
        assert save_map(connection, small_map()) == 1
    assert place(database) == 1
    return database


def place(database: Database, name: str = "rack-1") -> int:
    with database.connect() as connection:
        return add_device(
            connection, name=name, site="testbed", host="Bms", port=502, unit_id=1, protocol_map="small"
        )


def store(database: Database, *batches: PollBatch) -> int:
    with database.connect() as connection:
        return sum(store_batch(connection, one) for one in batches)


def close(database: Database, before: datetime) -> int:
    with database.connect() as connection:
        lock_for_polls(connection)
        return close_unpolled_minutes(connection, before, "nobody")


def outcomes(database: Database) -> list[tuple[object, ...]]:
    return database.rows(
        "select device_id, minute, last_minute, outcome from sos_ops.poll order by device_id, minute"
    )


def read(minute: int, value: float = 20.0) -> PollBatch:
    return batch(at(minute), poll_of(1, at(minute), {"max_cell_temperature": value}))


def whole(database: Database) -> bool:
    with database.connect() as connection:
        return broken_invariants(connection) == {}


def test_a_batch_stored_twice_is_stored_once(platform: Database) -> None:
    assert store(platform, read(10)) == 1
    before = [platform.rows(f"select * from sos_ops.{t}") for t in ("poll", "reading", "raw_block")]  # noqa: S608
    assert store(platform, read(10, 99.0)) == 0
    assert [platform.rows(f"select * from sos_ops.{t}") for t in ("poll", "reading", "raw_block")] == before  # noqa: S608


@pytest.mark.parametrize("order", list(permutations((10, 12, 13, 15))))
def test_polls_stored_in_any_order_leave_one_outcome_for_every_minute(
    platform: Database, order: tuple[int, ...]
) -> None:
    for minute in order:
        store(platform, read(minute))
        assert whole(platform)
    assert outcomes(platform) == [
        (1, at(10), at(10), "complete"),
        (1, at(11), at(11), "failed"),
        (1, at(12), at(12), "complete"),
        (1, at(13), at(13), "complete"),
        (1, at(14), at(14), "failed"),
        (1, at(15), at(15), "complete"),
    ]


def test_a_poll_that_was_kept_elsewhere_opens_the_gap_that_was_closed_over_it(platform: Database) -> None:
    assert close(platform, at(20)) == 10
    for minute in (15, 10, 19, 16):
        assert store(platform, read(minute)) == 1
        assert whole(platform)
    assert platform.value("select count(*) from sos_ops.reading") == 4
    assert platform.value("select count(*) from sos_ops.poll where outcome = 'failed'") == 2


def test_a_minute_that_failed_is_not_opened_again(platform: Database) -> None:
    store(platform, batch(at(10), poll_of(1, at(10), None)))
    assert store(platform, read(10)) == 0
    assert outcomes(platform) == [(1, at(10), at(10), "failed")]


def test_two_sessions_that_open_one_gap_lose_none_of_their_polls(platform: Database) -> None:
    close(platform, at(30))
    with ThreadPoolExecutor(4) as pool:
        stored = list(pool.map(lambda minute: store(platform, read(minute)), range(10, 30)))
    assert stored == [1] * 20
    assert outcomes(platform) == [(1, at(m), at(m), "complete") for m in range(10, 30)]


def test_a_session_that_keeps_the_lock_and_goes_idle_is_ended_by_the_server(platform: Database) -> None:
    with psycopg.connect(platform.url) as idle:
        lock_for_polls(idle)
        assert store(platform, read(10)) == 1
        with pytest.raises(psycopg.errors.IdleInTransactionSessionTimeout):
            idle.execute("select 1")


def test_raw_registers_are_kept_as_they_came_with_their_map(platform: Database) -> None:
    store(platform, batch(at(10), poll_of(1, at(10), {"soc": 1.0}, registers=(0, 1, 0x8000, 0xFFFF))))
    ((function, start, registers, read_at, map_id),) = platform.rows(
        "select function, start, registers, read_at, map_id from sos_ops.raw_block"
    )
    assert (function, start, from_bytes(registers), map_id) == ("input", 0, (0, 1, 0x8000, 0xFFFF), 1)
    assert registers == b"\x00\x00\x00\x01\x80\x00\xff\xff"
    assert read_at == at(10, 2) + timedelta(microseconds=345678)


def test_a_text_of_a_device_is_stored_without_what_the_database_cannot_hold(platform: Database) -> None:
    one = poll_of(1, at(10), {"serial": 0.0})
    point = one.result.points[0]._replace(value=None, text="랙\x00-1")
    object.__setattr__(one.result, "points", (point,))
    store(platform, batch(at(10), one))
    assert platform.rows("select value, text_value from sos_ops.reading") == [(None, "랙-1")]


def learnt(kind: str, minute: int, start: int = 7) -> PollBatch:
    where = RegisterRange(ReadFunction.INPUT, start, 1)
    change = QuarantineChange(kind, where, ("soc",), "exception 2", at(minute))  # type: ignore[arg-type]
    return PollBatch(at(minute), learnt=(Learnt(1, (change,)),))


def test_a_register_in_quarantine_is_found_checked_ever_more_rarely_and_restored(platform: Database) -> None:
    waits = []
    for minute, kind in ((10, "found"), (20, "confirmed"), (40, "confirmed"), (80, "confirmed")):
        store(platform, learnt(kind, minute))
        with platform.connect() as connection:
            ((entry,),) = quarantined_registers(connection).values()
        assert (entry.start, entry.points, entry.since) == (7, ("soc",), at(10))
        waits.append(entry.next_check - at(minute))
    assert waits == sorted(waits)
    assert waits[0] < waits[-1]
    store(platform, learnt("restored", 160))
    with platform.connect() as connection:
        assert quarantined_registers(connection) == {}
    assert platform.rows("select checks, restored_at from sos_ops.quarantined_register") == [(3, at(160))]


def test_what_a_poll_learnt_of_a_register_counts_once_and_only_forwards(platform: Database) -> None:
    store(
        platform, learnt("found", 10), learnt("confirmed", 20), learnt("confirmed", 20), learnt("found", 10)
    )
    assert platform.value("select checks from sos_ops.quarantined_register") == 1
    store(platform, learnt("restored", 30), learnt("confirmed", 20), learnt("found", 10))
    assert platform.value("select count(*) from sos_ops.quarantined_register where restored_at is null") == 0
    store(platform, learnt("found", 40))
    assert platform.value("select count(*) from sos_ops.quarantined_register") == 2


def test_another_address_or_map_ends_what_was_learnt_of_the_old(platform: Database) -> None:
    for change in ({"host": "10.0.0.9"}, {"port": 503}, {"unit_id": 2}, {"protocol_map": "keti_bank"}):
        minute = 10 * (1 + platform.value("select count(*) from sos_ops.quarantined_register"))
        platform.set_clock(at(minute))
        store(platform, learnt("found", minute))
        with platform.connect() as connection:
            change_device(connection, "rack-1", host="bms" if minute == 10 else None)
            assert 1 in quarantined_registers(connection)
            change_device(connection, "rack-1", **change)  # type: ignore[arg-type]
            assert quarantined_registers(connection) == {}


def test_a_gateway_changes_lanes_and_older_news_changes_nothing(platform: Database) -> None:
    platform.set_clock(at(20))
    gateway = Gateway("bms", 502)

    def lanes() -> set[Gateway]:
        with platform.connect() as connection:
            return set(slow_gateways(connection))

    store(platform, PollBatch(at(10), lanes=(LaneChange(gateway, True, at(10)),)))
    assert lanes() == {gateway}
    store(platform, PollBatch(at(12), lanes=(LaneChange(gateway, False, at(12)),)))
    store(platform, PollBatch(at(11), lanes=(LaneChange(gateway, True, at(11)),)))
    assert lanes() == set()


def test_a_clock_that_was_set_back_leaves_no_gateway_in_the_wrong_lane(platform: Database) -> None:
    gateway = Gateway("bms", 502)
    platform.set_clock(at(500))
    store(platform, PollBatch(at(500), lanes=(LaneChange(gateway, False, at(500)),)))
    platform.set_clock(at(20))
    store(platform, PollBatch(at(20), lanes=(LaneChange(gateway, True, at(20)),)))
    assert platform.rows("select slow, since from sos_ops.gateway") == [(True, at(20))]


def test_the_catalogue_foresees_what_storing_a_batch_makes_of_it(platform: Database) -> None:
    gateway = Gateway("bms", 502)
    found = learnt("found", 10).learnt
    one = PollBatch(at(10), read(10).polls, found, (LaneChange(gateway, True, at(10)),))
    with platform.connect() as connection:
        foreseen = read_catalogue(connection, at(10)).after(one)
    store(platform, one)
    with platform.connect() as connection:
        assert read_catalogue(connection, at(10)) == foreseen
    (entry,) = foreseen.devices
    assert entry.gateway in foreseen.slow


def test_a_map_that_cannot_be_had_costs_only_its_devices(platform: Database) -> None:
    place(platform, "rack-2")
    platform.run("update sos_ops.device set protocol_map = 'gone' where name = 'rack-2'")
    with platform.connect() as connection:
        first, second = read_catalogue(connection, at(10)).devices
    assert (first.map_id, first.problem) == (1, None)
    assert second.map_id is None
    assert "gone" in str(second.problem)


def test_a_retired_devices_minutes_end_there_and_its_name_is_free(platform: Database) -> None:
    store(platform, read(10))
    platform.set_clock(at(15, 30))
    with platform.connect() as connection:
        retire_device(connection, "rack-1")
        assert devices(connection) == []
    assert outcomes(platform) == [(1, at(10), at(10), "complete"), (1, at(11), at(14), "failed")]
    assert close(platform, at(60)) == 0
    assert place(platform) == 2
    with platform.connect() as connection, pytest.raises(UnknownNameError):
        retire_device(connection, "rack-2")


def test_two_devices_in_use_have_two_names(platform: Database) -> None:
    with pytest.raises(SosOpsError, match="a device of this name exists already"):
        place(platform)


def test_a_poll_of_a_device_that_was_retired_meanwhile_is_kept(platform: Database) -> None:
    store(platform, read(10))
    platform.set_clock(at(12))
    with platform.connect() as connection:
        retire_device(connection, "rack-1")
    assert store(platform, read(11)) == 1
    assert [row[1] for row in outcomes(platform)] == [at(10), at(11)]
    assert at(12) - at(11) == MINUTE
