"""Where a line must break: times with nothing between them stay apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from dash_app.data.port import Band, Series, SosSeries
from dash_app.figures.thin import MAX_POINTS

MINUTE_S = 60.0


def gap_s(since: datetime, until: datetime, longest_s: float) -> float:
    """From how many seconds on two neighbours are apart: more than `longest_s`, and wider than a store's thinning."""
    return max(longest_s, 2.5 * (until - since).total_seconds() / (MAX_POINTS / 2))


def values_with_gaps(line: Series, apart_s: float) -> Series:
    """The series with a `None` in the middle of each gap."""
    times, values = list(line.times), list(line.values)
    for before, middle in _gaps(line.times, apart_s):
        times.insert(before, middle)
        values.insert(before, None)
    return Series(times, values)


def minutes_with_gaps(series: SosSeries, apart_s: float) -> SosSeries:
    """The series with a minute of nothing in the middle of each run of missed minutes."""
    minutes, values = list(series.minutes), list(series.values)
    uppers, bands = list(series.uppers), list(series.bands)
    for before, middle in _gaps(series.minutes, apart_s):
        minutes.insert(before, middle)
        values.insert(before, None)
        uppers.insert(before, None)
        bands.insert(before, Band.UNKNOWN)
    return SosSeries(minutes, values, uppers, bands)


def _gaps(times: Sequence[datetime], apart_s: float) -> Iterator[tuple[int, datetime]]:
    """Index after the gap and the gap's middle, last first: inserting then leaves earlier indices valid."""
    widest = timedelta(seconds=apart_s)
    for i in range(len(times) - 1, 0, -1):
        if times[i] - times[i - 1] > widest:
            yield i, times[i - 1] + (times[i] - times[i - 1]) / 2
