"""Times as they stand in a file, into microseconds since 2000-01-01 UTC (as PostgreSQL counts them)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sos_ops.errors import SosOpsError
from sos_ops.imports.chunk import Reason
from sos_ops.imports.mapping import Ambiguous, TimeColumns
from sos_ops.imports.values import numbers

EPOCH_MICROS = 946_684_800_000_000
"""2000-01-01 UTC in microseconds since 1970."""

_UNIX = {"unix_s": 1_000_000, "unix_ms": 1_000, "unix_us": 1}
_ISO = r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?)?"
_ISO_NAIVE = _ISO + "$"
_ISO_OFFSET = _ISO.replace(")?)?)?", ")?)?)") + r" ?(Z|[+-]\d{2}(:?\d{2})?)$"
_NONE = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Times:
    """Times of rows.

    Attributes:
        micros: microseconds since 2000-01-01 UTC; of no meaning where there is none.
        known: where there is a time.
        missing: where the cell is empty.
        wrong: where the others are not usable, and why.
    """

    micros: NDArray[np.int64]
    known: NDArray[np.bool_]
    missing: NDArray[np.bool_]
    wrong: dict[Reason, NDArray[np.bool_]]


def read_times(columns: Sequence[pa.Array], spec: TimeColumns, missing: Sequence[str]) -> Times:
    """The times in these columns, by the mapping.

    Raises:
        SosOpsError: the columns are of a type that holds no times of that format.
    """
    array = columns[0]
    if len(columns) > 1:
        array = pc.binary_join_element_wise(*(_trimmed(_strings(c, spec)) for c in columns), " ")
    if spec.is_unix:
        return _unix(array, _UNIX[spec.format], missing)
    if pa.types.is_date(array.type):
        array = pc.cast(array, pa.timestamp("us"))
    if pa.types.is_timestamp(array.type):
        return _typed(array, spec)
    return _texts(_trimmed(_strings(array, spec)), spec, missing)


def _strings(array: pa.Array, spec: TimeColumns) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
        raise SosOpsError(
            f"time column {spec.names[0]!r} holds {array.type}: for numbers say `format: unix_s` (or unix_ms, unix_us)"
        )
    return array


def _trimmed(array: pa.Array) -> pa.Array:
    return pc.utf8_trim_whitespace(array)


def _unix(array: pa.Array, unit: int, missing: Sequence[str]) -> Times:
    read = numbers(array, missing, ".", "the time")
    with np.errstate(over="ignore", invalid="ignore"):
        micros = np.round(read.values * unit)
        sane = np.abs(micros) < 1e17  # a float64 counts microseconds exactly until the year 2255
    known = ~read.missing & ~read.bad & sane
    safe = np.where(known, micros, 0.0).astype(np.int64) - EPOCH_MICROS
    return Times(safe, known, read.missing, {Reason.NO_TIME: ~read.missing & ~known})


def _typed(array: pa.Array, spec: TimeColumns) -> Times:
    empty = np.asarray(pc.is_null(array))
    zoned = array.type.tz is not None
    if not zoned and spec.says_offset:
        raise SosOpsError(
            f"time column {spec.names[0]!r} holds times without an offset: say their `time.zone`"
        )
    micros = pc.cast(array, pa.timestamp("us", array.type.tz), safe=False).view(pa.int64())
    values = np.asarray(micros.fill_null(0)).astype(np.int64, copy=False)
    return _located(
        values, ~empty, empty, np.zeros(len(array), np.bool_), UTC if zoned else spec.zone_info(), spec
    )


def _texts(array: pa.Array, spec: TimeColumns, missing: Sequence[str]) -> Times:
    empty = np.asarray(
        pc.or_(pc.is_null(array), pc.is_in(array, pa.array(missing, pa.string())).fill_null(False))
    )
    form = ~empty
    if spec.format == "iso":
        pattern = _ISO_OFFSET if spec.says_offset else _ISO_NAIVE
        form = form & np.asarray(pc.match_substring_regex(array, pattern).fill_null(False))
        array = pc.replace_substring(array, ",", ".")
    parsed = pd.to_datetime(
        pd.Series(array.filter(pa.array(form)).to_pylist(), dtype="str"),
        format="ISO8601" if spec.format == "iso" else spec.format,
        errors="coerce",
        utc=spec.says_offset,
    )
    micros = np.full(len(array), _NONE)
    micros[form] = pd.DatetimeIndex(parsed).as_unit("us").asi8
    known = micros != _NONE
    zone = UTC if spec.says_offset else spec.zone_info()
    return _located(np.where(known, micros, 0), known, empty, ~known & ~empty, zone, spec)


def _located(
    micros: NDArray[np.int64],
    known: NDArray[np.bool_],
    empty: NDArray[np.bool_],
    no_time: NDArray[np.bool_],
    zone: tzinfo,
    spec: TimeColumns,
) -> Times:
    """Local times of a zone (microseconds since 1970 on its clocks) as times."""
    wrong = {Reason.NO_TIME: no_time}
    if zone is not UTC:
        local = pd.DatetimeIndex(micros.view("M8[us]"))
        early = spec.ambiguous is not Ambiguous.LATER
        # With one of the two asked for, only times that do not exist are left out; they differ by nothing else.
        placed = local.tz_localize(zone, ambiguous=np.full(len(local), early), nonexistent="NaT").asi8
        skipped = known & (placed == _NONE)
        wrong[Reason.TIME_SKIPPED] = skipped
        if spec.ambiguous is Ambiguous.REFUSE:
            strict = local.tz_localize(zone, ambiguous="NaT", nonexistent="NaT").asi8
            twice = known & (strict == _NONE) & ~skipped
            wrong[Reason.TIME_TWICE] = twice
            known = known & ~twice
        known = known & ~skipped
        micros = np.where(known, placed, 0)
    return Times(micros - EPOCH_MICROS, known, empty, wrong)
