"""Labels, row by row in the file, as spans of time: a data set is normal for long and anomalous for a while."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class LabelRows:
    """Labels of rows.

    Attributes:
        subjects: whose (a site's, a tag's, a device's), as numbers of the caller's.
        micros: microseconds since 2000-01-01 UTC.
        indices: which of `words`.
        words: the labels as the file writes them.
        anomalous: what each of them means.
    """

    subjects: NDArray[np.int64]
    micros: NDArray[np.int64]
    indices: NDArray[np.int64]
    words: list[str]
    anomalous: list[bool]

    @classmethod
    def none(cls) -> LabelRows:
        """No labels."""
        empty = np.empty(0, np.int64)
        return cls(empty, empty, empty, [], [])

    @classmethod
    def of_all(
        cls,
        subjects: Sequence[int],
        micros: NDArray[np.int64],
        indices: NDArray[np.int64],
        words: list[str],
        anomalous: list[bool],
    ) -> LabelRows:
        """The same labels for each of the subjects."""
        times = len(subjects)
        whose = np.repeat(np.array(subjects, np.int64), len(micros))
        return cls(whose, np.tile(micros, times), np.tile(indices, times), words, anomalous)


@dataclass(frozen=True)
class Span:
    """A label that holds from the first to the last of consecutive rows, both included.

    Attributes:
        subject: whose.
        first, last: microseconds since 2000-01-01 UTC.
        label: as the file writes it.
        anomalous: what it means.
        rows: how many rows say so.
    """

    subject: int
    first: int
    last: int
    label: str
    anomalous: bool
    rows: int


@dataclass(frozen=True)
class Reach:
    """How far the labels of a subject are stored: the whole reach, and the newest span with its key."""

    first: int
    last: int
    newest_id: int
    newest_label: str


def spans(rows: LabelRows, reached: Mapping[int, Reach]) -> list[Span]:
    """The rows' labels as spans, by subject and time.

    Where a subject's rows lie among those stored before, a span could cover rows of another label: such rows are spans
    of their own, of one instant each, and whoever reads labels lets an instant's own label win.
    """
    if not len(rows.micros):
        return []
    order = np.lexsort((rows.micros, rows.subjects))
    subjects, micros, indices = rows.subjects[order], rows.micros[order], rows.indices[order]
    starts = np.ones(len(order), np.bool_)
    starts[1:] = (subjects[1:] != subjects[:-1]) | (indices[1:] != indices[:-1])
    for subject in np.flatnonzero(np.bincount(subjects)):
        reach = reached.get(int(subject))
        its = subjects == subject
        if reach is not None and micros[its][0] < reach.last and micros[its][-1] > reach.first:
            # Rows of one instant and label are still one.
            starts[1:] |= its[1:] & (micros[1:] != micros[:-1])
    begin = np.flatnonzero(starts)
    end = np.append(begin[1:], len(order)) - 1
    return [
        Span(int(s), int(a), int(b), rows.words[int(i)], rows.anomalous[int(i)], int(n))
        for s, a, b, i, n in zip(
            subjects[begin], micros[begin], micros[end], indices[begin], end - begin + 1, strict=True
        )
    ]
