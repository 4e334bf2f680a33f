"""Results to be judged with all that is known about each, and the table that the expectations look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from sos_ops.safety.as_of import Micros
from sos_ops.safety.score import Floats, depth

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEVER = np.iinfo(np.int64).min
"""A time that stands for none."""

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_EPOCH = pd.Timestamp("2000-01-01", tz="UTC")


@dataclass(frozen=True)
class Rows:
    """Results with what was joined to them; arrays of shape (rows,), sorted by (tag_id, partner_id, ts).

    Times are microseconds since 2000-01-01 UTC (as `sos_ops.store.binary_copy.to_micros`), values in the tag's unit.

    Attributes:
        tag: its name; None when it is no tag of this partner.
        active_until: when the tag was retired; far in the future when it was not.
        x100: maximum safe value valid at `ts`; NaN without a tag.
        xl: warning threshold valid then.
        plausible_low: -inf where the tag has none.
        plausible_high: inf where the tag has none.
        max_rate: per minute; inf where the tag has none.
        stuck_limit_s: inf where the tag has none.
        stuck_s: how long the value has been the same, bit for bit; 0 where the tag has no limit for it.
        other_values: different values for the tag and TIMESTAMP that were set aside by the first door.
        history_row: shape (events,), ascending: the number of the first row after an accepted plausible result that
            is none of these rows. Of a tag with a `max_rate` all of the minute before each row, and the newest that
            is older.
        history_ts: its TIMESTAMP; ascending among those of one row. Shape (events,).
        history_value: its value. Shape (events,).
    """

    tag_id: Ints
    partner_id: Ints
    ts: Micros
    received_at: Micros
    value: Floats
    tag: NDArray[np.object_]
    partner: NDArray[np.object_]
    active_until: Micros
    x100: Floats
    xl: Floats
    plausible_low: Floats
    plausible_high: Floats
    max_rate: Floats
    stuck_limit_s: Floats
    stuck_s: Floats
    other_values: Ints
    history_row: Ints
    history_ts: Micros
    history_value: Floats

    def __len__(self) -> int:
        return int(self.tag_id.size)

    @property
    def first_of_tag(self) -> Ints:
        """The number of the first row of each row's tag."""
        if len(self) == 0:
            return np.empty(0, dtype=np.int64)
        begins = np.ones(len(self), dtype=np.bool_)
        begins[1:] = (self.tag_id[1:] != self.tag_id[:-1]) | (self.partner_id[1:] != self.partner_id[:-1])
        first: Ints = np.maximum.accumulate(np.where(begins, np.arange(len(self)), 0))
        return first

    @property
    def u(self) -> Floats:
        """Depth of each value under the limits valid at its TIMESTAMP; NaN without a tag."""
        return depth(self.value, self.x100, self.xl)


@dataclass(frozen=True)
class Change:
    """The fastest change that led to each row; arrays of shape (rows,).

    Attributes:
        rate: per minute; 0 where nothing was accepted before.
        previous: the accepted value that it is counted from; NaN where there is none.
        age_s: seconds since that; NaN where there is none.
        expected: the accepted value that was rather to be expected; NaN where there is none.
    """

    rate: Floats
    previous: Floats
    age_s: Floats
    expected: Floats


def changes(rows: Rows, accepted: Bools) -> Change:
    """How fast each value changed, as counted from the accepted plausible values before it.

    It is compared with the newest one, with the newest that is at least a minute older, and with the lowest and the
    highest within that minute: many small steps must not get by, nor a way down from a peak shorter than a minute.
    Within a minute any noise would be a fast change, so a change counts as if it took a minute at least.

    An implausible value that counts is no base: a single one of 1e308 would make all that follows a jump.

    Rather to be expected was the newest value when this one is deeper: it takes the place of that one, and never
    for a safer one. Else the deepest of those from which the change was too fast: a peak before the last minute's
    values does not make a fast change towards safety one towards danger.

    Args:
        rows: the rows.
        accepted: which of the rows count as accepted for those after them. Shape (rows,).
    """
    event_row, ts, value = _bases(rows, accepted)
    first = rows.first_of_tag
    groups = first[event_row]
    begin = np.searchsorted(groups, first, side="left")
    # Events before a row: those found for it or for a row before it, but not itself.
    end = np.searchsorted(event_row, np.arange(len(rows)), side="left")
    end += np.bincount(rows.history_row, minlength=len(rows))
    recent = _count_until(groups, ts, first, rows.ts - _MINUTE)
    any_before, any_recent, any_old = end > begin, end > recent, recent > begin
    low, high = _extremes(value, recent, end)
    bases = np.stack(
        [
            np.where(any_before, end - 1, -1),
            np.where(any_old, recent - 1, -1),
            np.where(any_recent, low, -1),
            np.where(any_recent, high, -1),
        ]
    )
    known = bases >= 0
    value, ts = np.append(value, np.nan), np.append(ts, 0)  # the number -1 stands for none
    base = value[bases]
    age_s = np.where(known, (rows.ts - ts[bases]) / _SECOND, np.nan)
    with np.errstate(over="ignore", invalid="ignore"):
        rate = np.where(known, np.abs(rows.value - base) / np.maximum(age_s / 60, 1.0), -1.0)
        depths = np.where(known, depth(base, rows.x100, rows.xl), np.nan)
        too_fast = known & (rate > rows.max_rate) & ~np.isnan(depths)
        deepest = np.argmax(np.where(too_fast, depths, -np.inf), axis=0)
        fastest = np.argmax(rate, axis=0)
        of_newest = rows.u > depths[0]
    each = np.arange(len(rows))
    rather = np.where(of_newest, 0, np.where(too_fast.any(axis=0), deepest, fastest))
    return Change(
        rate=np.maximum(rate[fastest, each], 0.0),
        previous=base[fastest, each],
        age_s=age_s[fastest, each],
        expected=base[rather, each],
    )


def _bases(rows: Rows, accepted: Bools) -> tuple[Ints, Micros, Floats]:
    """What changes are counted from, in the rows' order: the row it was found for or is, TIMESTAMP, value."""
    own = np.flatnonzero(accepted & (rows.value == nearest_plausible(rows)))
    row = np.concatenate([rows.history_row, own])
    kind = np.repeat([0, 1], [rows.history_row.size, own.size])
    ts = np.concatenate([rows.history_ts, rows.ts[own]])
    order = np.lexsort((ts, kind, row))
    value = np.concatenate([rows.history_value, rows.value[own]])
    return row[order], ts[order], value[order]


def _count_until(groups: Ints, ts: Micros, asked_groups: Ints, until: Micros) -> Ints:
    """How many events come before the end of (group, time), events at that time and all earlier groups included."""
    asked = np.repeat([0, 1], [groups.size, asked_groups.size])
    order = np.lexsort((asked, np.concatenate([ts, until]), np.concatenate([groups, asked_groups])))
    counted = np.cumsum(asked[order] == 0)
    counts = np.empty(order.size, dtype=np.int64)
    counts[order] = counted
    return counts[groups.size :]


def _extremes(value: Floats, begin: Ints, end: Ints) -> tuple[Ints, Ints]:
    """The numbers of the lowest and of the highest value in each [begin, end); anything where that is empty."""
    size = np.maximum(end - begin, 1)
    begin = np.minimum(begin, max(value.size - 1, 0))
    low = high = np.arange(value.size, dtype=np.int64)
    lowest, highest = np.zeros(begin.size, dtype=np.int64), np.zeros(begin.size, dtype=np.int64)
    width = (
        1  # low and high: of the `width` values from each on; two of them cover a span of up to twice that
    )
    while value.size and width <= int(size.max(initial=1)):
        here = (size >= width) & (size < 2 * width)
        one, other = begin[here], np.minimum(begin[here] + size[here] - width, low.size - 1)
        lowest[here] = np.where(value[low[one]] <= value[low[other]], low[one], low[other])
        highest[here] = np.where(value[high[one]] >= value[high[other]], high[one], high[other])
        low = np.where(value[low[:-width]] <= value[low[width:]], low[:-width], low[width:])
        high = np.where(value[high[:-width]] >= value[high[width:]], high[:-width], high[width:])
        width *= 2
    return lowest, highest


def nearest_plausible(rows: Rows) -> Floats:
    """Each value, or the end of the plausible range it lies beyond."""
    nearest: Floats = np.clip(rows.value, rows.plausible_low, rows.plausible_high)
    return nearest


def table(rows: Rows, accepted: Bools) -> pd.DataFrame:
    """What the expectations look at, a row per result; the columns are described in `expectations/README.md`.

    Args:
        rows: the rows.
        accepted: see `changes`.
    """
    change = changes(rows, accepted)
    minute = -(-rows.ts // _MINUTE)
    tag = pd.Series(rows.tag, dtype=object)
    return pd.DataFrame(
        {
            "row": np.arange(len(rows)),
            "partner": rows.partner,
            "tag": tag,
            "active_tag": tag.where(pd.Series(rows.ts < rows.active_until), None),
            "timestamp": _times(rows.ts),
            "received_at": _times(rows.received_at),
            "value": rows.value,
            "u": rows.u,
            "maximum_safe_value": rows.x100,
            "warning_threshold": rows.xl,
            "lateness_s": (rows.received_at - rows.ts) / _SECOND,
            "plausible_low": rows.plausible_low,
            "plausible_high": rows.plausible_high,
            "nearest_plausible": nearest_plausible(rows),
            "previous": change.previous,
            "previous_age_s": change.age_s,
            "rate": change.rate,
            "rate_expected": change.expected,
            "max_rate": rows.max_rate,
            "stuck_s": rows.stuck_s,
            "stuck_limit_s": rows.stuck_limit_s,
            "other_values": rows.other_values,
            "rows_in_minute": _rows_in_minute(rows, minute),
        }
    )


def _rows_in_minute(rows: Rows, minute: Ints) -> Ints:
    """How many of the rows are of the same tag and minute."""
    if len(rows) == 0:
        return np.empty(0, dtype=np.int64)
    begins = np.ones(len(rows), dtype=np.bool_)
    begins[1:] = (rows.first_of_tag[1:] != rows.first_of_tag[:-1]) | (minute[1:] != minute[:-1])
    group = np.cumsum(begins) - 1
    counts: Ints = np.bincount(group)[group]
    return counts


def _times(micros: Micros) -> pd.Series[pd.Timestamp]:
    return pd.Series(_EPOCH + pd.to_timedelta(micros, unit="us"))
