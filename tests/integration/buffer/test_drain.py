"""What waits in the buffer is stored once, oldest first, whatever is killed when."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import psycopg
import pytest

from sos_ops.buffer.buffer import Buffer
from sos_ops.buffer.drain import drain
from sos_ops.errors import DatabaseUnavailableError
from sos_ops.store.connection import Connection
from sos_ops.store.devices import add_device
from sos_ops.store.maps import save_map
from sos_ops.store.readings import close_unpolled_minutes, lock_for_polls
from tests.support.batches import batch, poll_of
from tests.support.database import Cluster, Database
from tests.support.invariants import broken_invariants
from tests.support.maps import small_map
from tests.support.plant import at

WAITING = range(10, 16)


@pytest.fixture
def platform(database: Database) -> Database:
    """Two devices, made at half past the ninth minute; minutes to the twentieth closed, as after an outage."""
    database.set_clock(at(9, 30))
    with database.connect() as connection:
        save_map(connection, small_map())
        for name in ("rack-1", "rack-2"):
            add_device(
                connection, name=name, site="testbed", host="bms", port=502, unit_id=1, protocol_map="small"
            )
        lock_for_polls(connection)
        close_unpolled_minutes(connection, at(20), "no run polled this minute")
    return database


@pytest.fixture
def buffer(tmp_path: Path) -> Buffer:
    """Six minutes of both devices wait."""
    filled = Buffer(tmp_path / "buffer", 10_000_000)
    fill(filled)
    return filled


def fill(buffer: Buffer) -> None:
    for minute in WAITING:
        polls = [
            poll_of(
                device_id,
                at(minute),
                {"max_cell_temperature": minute + device_id / 10},
                device=f"rack-{device_id}",
            )
            for device_id in (1, 2)
        ]
        buffer.keep(batch(at(minute), *polls), "quick")


def stored(database: Database) -> list[list[tuple[object, ...]]]:
    """All that draining writes, but for the times at which it did."""
    return [
        database.rows("select * from sos_ops.poll order by device_id, minute"),
        database.rows(
            "select minute, device_id, name, read_at, value, quality from sos_ops.reading "
            "join sos_ops.point using (point_id) order by device_id, minute"
        ),
        database.rows("select * from sos_ops.raw_block order by device_id, minute"),
        database.rows("select minute, changes from sos_ops.read_minute order by minute"),
    ]


def whole(database: Database) -> bool:
    with database.connect() as connection:
        return broken_invariants(connection) == {}


def test_everything_that_waits_is_stored_once_oldest_first(platform: Database, buffer: Buffer) -> None:
    done = drain(platform.connect, buffer)
    assert (done.files, done.readings, done.problems) == (6, 12, ())
    assert buffer.waiting() == []
    assert platform.value("select count(*) from sos_ops.poll where outcome = 'complete'") == 12
    arrival = platform.rows("select minute from sos_ops.read_minute order by changed_at")
    assert arrival == [(at(minute),) for minute in WAITING]
    assert whole(platform)
    before = stored(platform)
    assert drain(platform.connect, buffer).files == 0
    assert stored(platform) == before


def test_draining_stops_when_it_may_not_go_on_and_the_rest_waits(platform: Database, buffer: Buffer) -> None:
    turns = iter([True, True, False])
    assert drain(platform.connect, buffer, lambda: next(turns)).files == 2
    assert buffer.state().oldest == at(12)


def test_a_torn_file_costs_only_itself(platform: Database, buffer: Buffer) -> None:
    torn = buffer.waiting()[2]
    torn.write_bytes(torn.read_bytes()[:-10])
    done = drain(platform.connect, buffer)
    assert done.files == 5
    (problem,) = done.problems
    assert torn.name in problem
    assert "torn" in problem
    assert (buffer.set_aside_folder / torn.name).exists()
    assert buffer.waiting() == []
    assert platform.rows("select minute from sos_ops.poll where outcome = 'failed' and minute = %s", at(12)) == [
        (at(12),)
    ] * 2  # fmt: skip
    assert whole(platform)


def test_what_the_database_will_never_take_is_set_aside_and_blocks_no_other(
    platform: Database, buffer: Buffer
) -> None:
    buffer.keep(batch(at(11), poll_of(1, at(11), {"soc": 1.0}, device="rack-1", map_id=99)), "bus")
    done = drain(platform.connect, buffer)
    assert done.files == 6
    (problem,) = done.problems
    assert "the database refuses it" in problem
    assert buffer.state().set_aside == 1


@pytest.mark.parametrize("device_id", [1, 99])
def test_what_was_read_for_another_databases_devices_is_set_aside(
    platform: Database, buffer: Buffer, device_id: int
) -> None:
    buffer.keep(batch(at(9), poll_of(device_id, at(9), {"soc": 1.0}, device="pack-7")), "quick")
    done = drain(platform.connect, buffer)
    assert done.files == 6
    (problem,) = done.problems
    assert f"its device {device_id} is pack-7, and in this database" in problem
    assert buffer.state().set_aside == 1


def test_a_schema_that_is_not_there_yet_sets_nothing_aside(platform: Database, buffer: Buffer) -> None:
    platform.run("alter table sos_ops.raw_block rename to raw_block_away")
    done = drain(platform.connect, buffer)
    assert done.files == 0
    assert "waits on" in done.problems[0]
    assert (buffer.state().files, buffer.state().set_aside) == (6, 0)
    platform.run("alter table sos_ops.raw_block_away rename to raw_block")
    assert drain(platform.connect, buffer).files == 6


def test_a_commit_whose_answer_is_lost_does_no_harm(platform: Database, buffer: Buffer) -> None:
    """The session dies between the server's commit and the client's hearing of it."""

    @contextmanager
    def deaf_after_commit() -> Iterator[Connection]:
        with platform.connect() as connection:
            yield connection
        raise DatabaseUnavailableError("PostgreSQL went away: just after it had committed")

    with pytest.raises(DatabaseUnavailableError):
        drain(deaf_after_commit, buffer)
    assert buffer.state().files == 6
    assert drain(platform.connect, buffer).files == 6
    assert platform.value("select count(*) from sos_ops.reading") == 12
    assert platform.value("select max(changes) from sos_ops.read_minute") == 1
    assert whole(platform)


def test_two_processes_draining_at_once_store_everything_once(platform: Database, buffer: Buffer) -> None:
    with ThreadPoolExecutor(4) as pool:
        drained = list(pool.map(lambda _: drain(platform.connect, buffer), range(4)))
    assert sum(done.readings for done in drained) == 12
    assert buffer.waiting() == []
    assert whole(platform)


def test_a_database_that_goes_away_meanwhile_leaves_the_rest_to_the_next_run(
    platform: Database, buffer: Buffer
) -> None:
    opened = iter(range(3))

    def two_then_none() -> AbstractContextManager[Connection]:
        if next(opened) < 2:
            return platform.connect()
        raise DatabaseUnavailableError("PostgreSQL does not answer")

    with pytest.raises(DatabaseUnavailableError):
        drain(two_then_none, buffer)
    assert buffer.state().files == 4
    assert drain(platform.connect, buffer).files == 4
    assert whole(platform)


DYING_DRAIN = """
import os, signal, sys
from pathlib import Path
import psycopg
from sos_ops.buffer import buffer as module
from sos_ops.buffer.drain import drain
from sos_ops.store.connection import connect

left = int(sys.argv[3])

def dying(original):
    def call(*args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    return call

for name in ("execute", "commit"):
    setattr(psycopg.Connection, name, dying(getattr(psycopg.Connection, name)))
psycopg.Cursor.copy = dying(psycopg.Cursor.copy)
module.Buffer.load = dying(module.Buffer.load)
Path.unlink = dying(Path.unlink)
module.sync_folder = dying(module.sync_folder)
drain(lambda: connect(sys.argv[1]), module.Buffer(Path(sys.argv[2]), 10_000_000))
print(int(sys.argv[3]) - left)
"""


def dying_drain(database: Database, buffer: Buffer, step: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", DYING_DRAIN, database.url, str(buffer.folder), str(step)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def test_killed_at_any_step_nothing_is_lost_and_nothing_doubled(
    cluster: Cluster, platform: Database, tmp_path: Path
) -> None:
    reference = Buffer(tmp_path / "reference", 10_000_000)
    fill(reference)
    with cluster.fresh_database(like=platform) as undisturbed:
        counted = dying_drain(undisturbed, reference, 1_000_000)
        assert counted.returncode == 0, counted.stderr
        steps, expected = int(counted.stdout), stored(undisturbed)
    assert reference.waiting() == []
    per_file = steps // len(WAITING)
    # Before every step of the first file, and once in each of the others.
    points = [*range(1, per_file + 1, 2), *(per_file * n + 4 * n for n in range(1, len(WAITING)))]
    for point in points:
        buffer = Buffer(tmp_path / f"killed-{point}", 10_000_000)
        fill(buffer)
        with cluster.fresh_database(like=platform) as struck:
            died = dying_drain(struck, buffer, point)
            assert died.returncode == -signal.SIGKILL, (point, died.stderr)
            drain(struck.connect, buffer)
            assert stored(struck) == expected, f"killed at step {point} of {steps}"
            assert whole(struck)
        assert buffer.waiting() == []


def test_the_lock_of_a_killed_process_is_free(platform: Database, buffer: Buffer) -> None:
    died = dying_drain(platform, buffer, 5)
    assert died.returncode == -signal.SIGKILL
    assert drain(platform.connect, buffer).files == 6


def test_a_session_that_holds_the_polls_stops_draining_without_setting_aside(
    platform: Database, buffer: Buffer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sos_ops.store import polling

    def impatient(connection: Connection) -> None:
        connection.execute("set local lock_timeout = '50ms'")
        connection.execute("select pg_advisory_xact_lock(7308, 0)")

    monkeypatch.setattr(polling, "lock_for_polls", impatient)
    with psycopg.connect(platform.url) as holder:
        holder.execute("select pg_advisory_xact_lock(7308, 0)")
        done = drain(platform.connect, buffer)
    assert done.files == 0
    assert "another session holds" in done.problems[0]
    assert (buffer.state().files, buffer.state().set_aside) == (6, 0)
