"""Keeping house: minutes whose results came too late for a live run, and partitions for the days to come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta

from sos_ops.clock import MINUTE, floor_minute
from sos_ops.pipeline.score import decide
from sos_ops.store.clock import now
from sos_ops.store.connection import Connect
from sos_ops.store.housekeeping import late_spans, looked_until
from sos_ops.store.raw_registers import drop_raw_day, raw_days
from sos_ops.store.scores import read_progress


@dataclass(frozen=True)
class LateReport:
    """What late results came to."""

    spans: int
    minutes: int
    revised: int

    def line(self) -> str:
        """One line for the data engineer."""
        return f"{self.spans} spans with late results, {self.minutes} minutes decided again, {self.revised} revised"


def redo_late_minutes(connect: Connect) -> LateReport:
    """Decides again the minutes that results which came more than five minutes late count for."""
    with connect() as connection:
        looked_at = now(connection)
        spans = late_spans(connection)
        closed_until = read_progress(connection).newest_decided
    minutes = revised = 0
    for first, until in spans:
        at = floor_minute(first)
        last_of_span = min(floor_minute(until), closed_until) if closed_until else at - MINUTE
        while at <= last_of_span:
            last = min(at + timedelta(minutes=59), last_of_span)
            with connect() as connection:
                decision = decide(connection, at, last)
            minutes, revised = minutes + decision.minutes, revised + decision.revised
            at = last + MINUTE
    with connect() as connection:
        looked_until(connection, looked_at)
    return LateReport(len(spans), minutes, revised)


def drop_old_raw_registers(connect: Connect, keep_days: int) -> str:
    """Drops raw registers older than the last `keep_days` whole UTC days, day by day."""
    with connect() as connection:
        first_kept = now(connection).astimezone(UTC).date() - timedelta(days=keep_days)
        old = [day for day in raw_days(connection) if day < first_kept]
    dropped, in_the_way = 0, 0
    for day in old:
        with connect() as connection:
            if drop_raw_day(connection, day):
                dropped += 1
            else:
                in_the_way += 1
    line = f"raw registers of {dropped} days dropped, those since {first_kept} kept"
    return (
        line
        if not in_the_way
        else f"{line}; {in_the_way} days are left for the next run: polls were in the way"
    )


def prepare_days(connect: Connect) -> str:
    """Makes the partitions of today and the next two days, so that no live run has to."""
    with connect() as connection:
        today = now(connection).astimezone(UTC).date()
        row = connection.execute(
            "select sos_ops.ensure_days(%s, %s)", (today, today + timedelta(days=2))
        ).fetchone()
    return f"{row[0] if row else 0} partitions made"
