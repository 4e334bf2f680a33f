"""The platform with its database on a server of its own, and Airflow's metadata on another."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sos_ops.clock import floor_minute, system_now
from sos_ops.stack.secrets import AIRFLOW_URL_VARIABLE, airflow_database_url
from tests.support.database import Server, running_server
from tests.support.stack import RunningStack, start_stack, wait_for

OUTCOMES = """
select p.minute, p.outcome, count(r.point_id), count(distinct r.point_id)
from sos_ops.poll as p left join sos_ops.reading as r using (minute, device_id)
where p.minute between %s and %s group by p.minute, p.device_id, p.outcome order by p.minute
"""
"""Each device minute of a span: its outcome, its readings, its points."""


@dataclass(frozen=True)
class PlatformApart:
    """A running platform whose database can be taken away without Airflow's."""

    stack: RunningStack
    database: Server

    def without_database(self, seconds: float, rate: float) -> Absence:
        """Takes the database away for as long, while minutes go on `rate` times as fast.

        Returns:
            When what was read meanwhile had been stored, at most 60 s after the return.
        """
        stack = self.stack
        with stack.sped_up(rate) as setting:
            # A minute that was begun before the database went may be in the middle of anything.
            wait_for(
                lambda: setting.at(system_now()).second > 40, "the minute's steps are over", 60 / rate + 5
            )
            self.database.stop()
            gone = setting.at(system_now())
            deadline = time.monotonic() + seconds
            wait_for(self.waiting, "what is read is kept in the buffer", seconds)
            time.sleep(max(0.0, deadline - time.monotonic()))
            self.database.start()
            returned, since = setting.at(system_now()), time.monotonic()
            wait_for(lambda: not self.waiting(), "the buffer is stored", 60)
            stored_after_s = time.monotonic() - since
        return Absence(floor_minute(gone) + timedelta(minutes=1), floor_minute(returned), stored_after_s)

    def waiting(self) -> list[Path]:
        """The minutes in the buffer."""
        return sorted((self.stack.settings.home / "buffer").glob("*.poll"))


@dataclass(frozen=True)
class Absence:
    """The platform minutes that began while the database was away."""

    first: datetime
    last: datetime
    stored_after_s: float


@contextmanager
def running_apart(folder: Path) -> Iterator[PlatformApart]:
    """The platform, up, with a first SoS."""
    with running_server() as database, running_server() as metadata:
        stack = start_stack(
            folder,
            SOS_DATABASE_URL=database.url,
            **{AIRFLOW_URL_VARIABLE: airflow_database_url(metadata.settings)},
        )
        try:
            wait_for(lambda: (row := stack.newest()) and row["value"] is not None, "a first SoS", 400)
            yield PlatformApart(stack, database)
        finally:
            stack.stop()
            print(stack.output.read_text())
