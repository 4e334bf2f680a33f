"""A chunk's table into what is stored: values of tags or points, labels, and what is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sos_ops.imports.chunk import Chunk, Lines, Reason, Refusals
from sos_ops.imports.labels import LabelRows
from sos_ops.imports.mapping import ImportMapping, LabelClass, Quantity
from sos_ops.imports.times import EPOCH_MICROS, read_times
from sos_ops.imports.values import names, numbers

FIRST_TIME = datetime(1900, 1, 1, tzinfo=UTC)
"""No battery was measured before."""

AHEAD = timedelta(seconds=60)
"""A time may lie this much ahead of the platform's clock, as at the partners' door."""


@dataclass(frozen=True)
class Target:
    """A tag or point that values go to.

    Attributes:
        id: its tag_id or point_id.
        subject: whose labels its rows carry, of a long file.
    """

    id: int
    subject: int


@dataclass(frozen=True)
class ValueRows:
    """Values on their way to the store, one a tag (or point) and time.

    Attributes:
        ids: tag_id or point_id.
        micros: microseconds since 2000-01-01 UTC.
        values: finite, in the tag's or point's unit.
        lines: where each stands in the file.
    """

    ids: NDArray[np.int32]
    micros: NDArray[np.int64]
    values: NDArray[np.float64]
    lines: Lines

    def __len__(self) -> int:
        return len(self.ids)

    def chosen(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> ValueRows:
        """Some of them."""
        return ValueRows(self.ids[which], self.micros[which], self.values[which], self.lines[which])


@dataclass(frozen=True)
class Converted:
    """What a chunk holds.

    Attributes:
        missing: cells that say that there is no value.
    """

    chunk: Chunk
    values: ValueRows
    labels: LabelRows
    refusals: Refusals
    missing: int


class Converter:
    """Turns chunks of one file into rows, by its mapping."""

    def __init__(
        self, mapping: ImportMapping, targets: Mapping[str, Target], subjects: Sequence[int], now: datetime
    ) -> None:
        """Prepares the mapping.

        Args:
            mapping: of the file.
            targets: the tags of the partner, or points of the device, by name.
            subjects: whose labels the rows of a wide file carry (numbers of the caller's).
            now: the platform's time; later times are refused.
        """
        self._mapping = mapping
        self._targets = targets
        self._subjects = subjects
        self._first = _micros(FIRST_TIME)
        self._last = _micros(now + AHEAD)

    def convert(self, chunk: Chunk) -> Converted:
        """The rows of a chunk.

        Raises:
            SosOpsError: a column's type cannot be what the mapping says it is.
        """
        if chunk.table is None:
            raise ValueError("a chunk is converted once")
        refusals = chunk.refusals
        table, lines = _without_blank_rows(chunk.table, chunk.lines)
        micros, timed = self._times(table, lines, refusals)
        if self._mapping.long:
            values, subjects, missing = self._long(table, lines, micros, timed, refusals)
        else:
            values, missing = self._wide(table, lines, micros, timed, refusals)
            subjects = None
        labels = self._labels(table, lines, micros, timed, subjects, refusals)
        # What waits to be stored holds its rows once.
        return Converted(replace(chunk, table=None), values, labels, refusals, missing)

    def _times(
        self, table: pa.Table, lines: Lines, refusals: Refusals
    ) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        spec = self._mapping.time
        columns = [_column(table, name) for name in spec.names]
        times = read_times(columns, spec, self._mapping.missing)
        early = times.known & (times.micros < self._first)
        late = times.known & (times.micros > self._last)
        wrong = {Reason.NO_TIME: times.missing, Reason.BEFORE_1900: early, Reason.FUTURE: late}
        for reason, where in [*times.wrong.items(), *wrong.items()]:
            _refuse(refusals, lines, where, ", ".join(spec.names), reason, columns)
        return times.micros, times.known & ~early & ~late

    def _wide(
        self,
        table: pa.Table,
        lines: Lines,
        micros: NDArray[np.int64],
        timed: NDArray[np.bool_],
        refusals: Refusals,
    ) -> tuple[ValueRows, int]:
        parts: list[ValueRows] = []
        missing = 0
        for name, quantity in (self._mapping.columns or {}).items():
            read = numbers(_column(table, name), self._mapping.missing, self._mapping.file.decimal, name)
            values = _scaled(read.values, quantity)
            good = self._judge(table, name, lines, timed, read.missing, read.bad, values, refusals)
            missing += int((timed & read.missing).sum())
            ids = np.full(int(good.sum()), self._targets[quantity.name].id, np.int32)
            parts.append(ValueRows(ids, micros[good], values[good], lines[good]))
        return _joined(parts), missing

    def _long(
        self,
        table: pa.Table,
        lines: Lines,
        micros: NDArray[np.int64],
        timed: NDArray[np.bool_],
        refusals: Refusals,
    ) -> tuple[ValueRows, NDArray[np.int64], int]:
        spec = self._mapping.long
        assert spec is not None  # noqa: S101  # the caller asked
        found = names(_column(table, spec.name), self._mapping.missing)
        quantities = [spec.names.get(word, _own_name(word)) for word in found.words]
        targets = [self._targets.get(quantity.name) for quantity in quantities]
        # One entry more, for rows without a name: index -1 is the last.
        ids = np.array([t.id if t else -1 for t in targets] + [-1], np.int32)[found.indices]
        subjects = np.array([t.subject if t else -1 for t in targets] + [-1], np.int64)[found.indices]
        _refuse(
            refusals,
            lines,
            timed & (found.indices < 0),
            spec.name,
            Reason.NO_NAME,
            [_column(table, spec.value)],
        )
        unknown = timed & (found.indices >= 0) & (ids < 0)
        _refuse(refusals, lines, unknown, spec.name, Reason.UNKNOWN_NAME, [_column(table, spec.name)])
        read = numbers(
            _column(table, spec.value), self._mapping.missing, self._mapping.file.decimal, spec.value
        )
        values = read.values
        for number, quantity in enumerate(quantities):
            if quantity.ratio != (1.0, 0.0, 1.0):
                values = np.where(found.indices == number, _scaled(read.values, quantity), values)
        named = timed & (ids >= 0)
        good = self._judge(table, spec.value, lines, named, read.missing, read.bad, values, refusals)
        rows = ValueRows(ids[good], micros[good], values[good], lines[good])
        return rows, subjects, int((named & read.missing).sum())

    def _judge(
        self,
        table: pa.Table,
        name: str,
        lines: Lines,
        usable: NDArray[np.bool_],
        missing: NDArray[np.bool_],
        bad: NDArray[np.bool_],
        values: NDArray[np.float64],
        refusals: Refusals,
    ) -> NDArray[np.bool_]:
        """Where a value can be taken; the others of the usable rows are refused."""
        there = usable & ~missing
        finite = np.isfinite(values)
        _refuse(refusals, lines, there & bad, name, Reason.NO_NUMBER, [_column(table, name)])
        _refuse(refusals, lines, there & ~bad & ~finite, name, Reason.NOT_FINITE, [_column(table, name)])
        return there & ~bad & finite

    def _labels(
        self,
        table: pa.Table,
        lines: Lines,
        micros: NDArray[np.int64],
        timed: NDArray[np.bool_],
        subjects: NDArray[np.int64] | None,
        refusals: Refusals,
    ) -> LabelRows:
        spec = self._mapping.label
        if spec is None:
            return LabelRows.none()
        if spec.column is None:
            assert spec.all is not None  # noqa: S101  # the mapping's own rule
            words, indices = [str(spec.all)], np.zeros(len(lines), np.int64)
            classes: list[LabelClass | None] = [spec.all]
        else:
            found = names(_column(table, spec.column), self._mapping.missing)
            words, indices = found.words, found.indices
            classes = [spec.values.get(word) for word in words]
            explained = np.array([c is not None for c in classes] + [False])[indices]
            unknown = timed & (indices >= 0) & ~explained
            _refuse(
                refusals, lines, unknown, spec.column, Reason.UNKNOWN_LABEL, [_column(table, spec.column)]
            )
            indices = np.where(explained, indices, -1)
        anomalous = [c is LabelClass.ANOMALOUS for c in classes]
        labelled = timed & (indices >= 0)
        if subjects is not None:
            labelled = labelled & (subjects >= 0)
            return LabelRows(subjects[labelled], micros[labelled], indices[labelled], words, anomalous)
        return LabelRows.of_all(self._subjects, micros[labelled], indices[labelled], words, anomalous)


def _own_name(word: str) -> Quantity:
    return Quantity(name=word)


def _column(table: pa.Table, name: str) -> pa.Array:
    column = table.column(name)
    return (
        column.chunk(0)
        if column.num_chunks == 1
        else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
    )


def _scaled(values: NDArray[np.float64], quantity: Quantity) -> NDArray[np.float64]:
    a, b, d = quantity.ratio
    if (a, b, d) == (1.0, 0.0, 1.0):
        return values
    with np.errstate(over="ignore", invalid="ignore"):
        scaled: NDArray[np.float64] = (values * a + b) / d
    return scaled


def _joined(parts: Sequence[ValueRows]) -> ValueRows:
    if len(parts) == 1:
        return parts[0]
    return ValueRows(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.micros for part in parts]),
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.lines for part in parts]),
    )


def _without_blank_rows(table: pa.Table, lines: Lines) -> tuple[pa.Table, Lines]:
    """Lines with nothing in them, as at the end of many files, say nothing and are no mistake."""
    blank: NDArray[np.bool_] | None = None
    for name in table.column_names:
        column = table.column(name)
        if not column.null_count and not pa.types.is_string(column.type):
            return table, lines
        empty = pc.is_null(column)
        if pa.types.is_string(column.type):
            empty = pc.or_(empty, pc.equal(column, "").fill_null(True))
        here = np.asarray(empty)
        blank = here if blank is None else blank & here
        if not blank.any():
            return table, lines
    assert blank is not None  # noqa: S101  # a mapping names columns
    return table.filter(pa.array(~blank)), lines[~blank]


def _refuse(
    refusals: Refusals,
    lines: Lines,
    where: NDArray[np.bool_],
    column: str,
    reason: Reason,
    shown: Sequence[pa.Array],
) -> None:
    if not where.any():
        return
    at = pa.array(np.flatnonzero(where))
    texts = [pc.cast(_plain(array).take(at), pa.string()).fill_null("") for array in shown]
    text = texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, " ")
    refusals.add(lines[where], column, reason, pc.utf8_slice_codeunits(text, 0, 200))


def _plain(array: pa.Array) -> pa.Array:
    if pa.types.is_dictionary(array.type):
        return array.dictionary_decode()
    # Arrow writes a time with its zone only if it finds the zones of the system.
    return array.cast(pa.timestamp("us")) if pa.types.is_timestamp(array.type) else array


def _micros(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) - EPOCH_MICROS
