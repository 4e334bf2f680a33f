"""What reading a file gives: chunks of rows, and what of them could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Lines = NDArray[np.int64]
"""Line numbers of a text, or row numbers of a Parquet file, from 1."""


class Reason(StrEnum):
    """Why something of a file is not taken. The strings are shown and stored."""

    ENCODING = "bytes that the encoding does not know"
    COLUMNS = "more or fewer columns than the header"
    QUOTES = "a quote is not closed on its line, or stands inside a field"
    NO_TIME = "no time of the mapping's format"
    BEFORE_1900 = "the time lies before 1900"
    FUTURE = "the time lies in the future"
    TIME_SKIPPED = "a local time that does not exist: clocks were put forward"
    TIME_TWICE = "a local time that occurs twice: clocks were put back (say time.ambiguous in the mapping)"
    NO_NUMBER = "no number"
    NOT_FINITE = "no finite number"
    NO_NAME = "a value without a name"
    UNKNOWN_NAME = "no tag of this partner, or point of this device"
    UNKNOWN_LABEL = "a label that the mapping does not explain (the row's values are taken)"
    SET_ASIDE = "another value for this tag and time arrived first: set aside"
    OTHER_READING = "another value of this point and time stands already"
    POLLED_MINUTE = "the device's minute has a poll outcome of its own"


@dataclass
class Refusals:
    """What was refused: parallel lists of arrays, each entry a line, a column, the text and the reason."""

    lines: list[Lines] = field(default_factory=list)
    columns: list[str] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    texts: list[pa.Array] = field(default_factory=list)

    def add(self, lines: Lines, column: str, reason: Reason, texts: pa.Array | Sequence[str]) -> None:
        """Adds some of one column and reason."""
        if len(lines):
            self.lines.append(lines)
            self.columns.append(column)
            self.reasons.append(reason)
            self.texts.append(texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string()))

    def __len__(self) -> int:
        return sum(len(lines) for lines in self.lines)


@dataclass(frozen=True)
class Chunk:
    """Some rows of a file.

    Attributes:
        number: counted from 0.
        begin, end: where it lies: bytes of the text, or rows of the Parquet file.
        first_line: the line (row) number of its first.
        line_count: how many lines (rows) it spans.
        digest: SHA-256 of everything up to `end`, of a CSV.
        table: the mapped columns by their names, strings or typed; None once they are converted.
        lines: the line number of every row of `table`.
        refusals: lines that are no rows.
        position: how far the file is read, in bytes of `SourceFile.size`.
        done: the lanes that have stored it before.
    """

    number: int
    begin: int
    end: int
    first_line: int
    line_count: int
    digest: str | None
    table: pa.Table | None
    lines: Lines
    refusals: Refusals
    position: int
    done: frozenset[int] = frozenset()


@dataclass(frozen=True)
class StoredChunk:
    """A chunk as an earlier, interrupted run recorded it."""

    number: int
    begin: int
    end: int
    first_line: int
    line_count: int
    digest: str | None
    done: frozenset[int]
