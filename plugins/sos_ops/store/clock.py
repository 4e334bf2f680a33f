"""The platform's clock as the database keeps it, for processes that live long and for those that set it."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import cast

import psycopg

from sos_ops.clock import ClockSetting, in_step, system_now
from sos_ops.errors import DatabaseUnavailableError
from sos_ops.store import sql
from sos_ops.store.connection import Connection, connect

_UNTOUCHED = ClockSetting(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), 1.0)


def read_clock(connection: Connection) -> ClockSetting:
    """The clock's setting."""
    row = connection.execute(sql.load("select_clock")).fetchone()
    assert row is not None  # noqa: S101  # the migration wrote the only row
    return ClockSetting(*row)


def now(connection: Connection) -> datetime:
    """Platform time, by the database."""
    row = connection.execute("select sos_ops.now()").fetchone()
    assert row is not None  # noqa: S101  # a function call returns one row
    return cast(datetime, row[0])


def set_clock(connection: Connection, *, platform_time: datetime | None, rate: float) -> ClockSetting:
    """Sets the clock: platform time is `platform_time` now (None: goes on from where it is) and runs at `rate`.

    For tests and demonstrations; minutes that the jump skips are closed as any missed minute is. At the pace of
    real time the clock is moved on, by less than a minute, until its minutes begin with the machine's: the scheduler
    starts the runs by these, and a run that begins 30 s after platform time's minute may not poll any more.
    """
    real = system_now()
    at = platform_time or read_clock(connection).at(real)
    if rate == 1.0:
        at = in_step(at, real)
    connection.execute(sql.load("update_clock"), {"real": real, "platform": at, "rate": rate})
    return ClockSetting(real, at, rate)


class DatabaseClock:
    """Platform time for a process that outlives database outages.

    The setting is looked up again in the background; while the database is away the last known one holds (at the
    start: the machine's clock).
    """

    def __init__(self, database_url: str, *, refresh_s: float = 1.0) -> None:
        self._database_url = database_url
        self._refresh_s = refresh_s
        self._setting = _UNTOUCHED
        self._stop = threading.Event()
        self._look_up()
        self._thread = threading.Thread(target=self._keep_looking, name="clock", daemon=True)
        self._thread.start()

    def now(self) -> datetime:
        """Platform time, UTC."""
        return self._setting.at(system_now())

    @property
    def setting(self) -> ClockSetting:
        """The setting in force."""
        return self._setting

    def close(self) -> None:
        """Stops looking the setting up."""
        self._stop.set()
        self._thread.join(timeout=10)

    def _keep_looking(self) -> None:
        while not self._stop.wait(self._refresh_s):
            self._look_up()

    def _look_up(self) -> None:
        try:
            with connect(self._database_url) as connection:
                self._setting = read_clock(connection)
        except (DatabaseUnavailableError, psycopg.Error):
            return
