"""Numbers as they stand in a file, and names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from sos_ops.errors import SosOpsError

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_WORD = r"^[+-]?(?i:nan|inf|infinity)$"


@dataclass(frozen=True)
class Numbers:
    """Numbers of rows.

    Attributes:
        values: NaN where there is none; infinite where the file says so, or says more than a float64 can hold.
        missing: where the cell is empty, or holds a marker for "no value".
        bad: where it holds something that is no number.
    """

    values: NDArray[np.float64]
    missing: NDArray[np.bool_]
    bad: NDArray[np.bool_]


def numbers(array: pa.Array, missing: Sequence[str], decimal: str, column: str) -> Numbers:
    """The numbers in a column, typed or text.

    Args:
        array: the column.
        missing: the texts that mean "no value".
        decimal: the character between the whole and its fraction.
        column: its name, for the error.

    Raises:
        SosOpsError: the column is of a type that holds no numbers.
    """
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        return _from_text(pc.utf8_trim_whitespace(array), missing, decimal)
    kind = array.type
    if pa.types.is_null(kind):
        empty = np.ones(len(array), np.bool_)
        return Numbers(np.full(len(array), np.nan), empty, ~empty)
    if not (pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind)):
        raise SosOpsError(f"column {column!r} holds {kind}: numbers are needed")
    empty = np.asarray(pc.is_null(array))
    values = np.asarray(pc.cast(array, pa.float64(), safe=False).fill_null(np.nan))
    return Numbers(values, empty | _marked(values, missing), np.zeros(len(array), np.bool_))


def _marked(values: NDArray[np.float64], missing: Sequence[str]) -> NDArray[np.bool_]:
    """Where a marker stands, as -9999, however it is written: -9999.0 is no temperature either."""
    markers = [float(text) for text in missing if _is_number(text)]
    return np.isin(values, markers) if markers else np.zeros(len(values), np.bool_)


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _from_text(array: pa.Array, missing: Sequence[str], decimal: str) -> Numbers:
    empty = pc.or_(pc.is_null(array), pc.is_in(array, pa.array(list(missing), pa.string())).fill_null(False))
    if decimal != ".":
        # 1.234,5 is not guessed at: a point is no part of such a number.
        array = pc.replace_substring(pc.replace_substring(array, ".", "?"), decimal, ".")
    reads = pc.or_(
        pc.match_substring_regex(array, _NUMBER), pc.match_substring_regex(array, _WORD)
    ).fill_null(False)
    usable = pc.and_(reads, pc.invert(empty))
    text = pc.utf8_ltrim(pc.if_else(usable, array, pa.scalar(None, pa.string())), "+")
    values = np.asarray(pc.cast(text, pa.float64()).fill_null(np.nan))
    gone = np.asarray(empty)
    return Numbers(values, gone | _marked(values, missing), ~np.asarray(usable) & ~gone)


@dataclass(frozen=True)
class Names:
    """Words of rows, each different one listed once.

    Attributes:
        words: the different ones, without blanks around them.
        indices: which of them a row has; -1 where it has none.
    """

    words: list[str]
    indices: NDArray[np.int64]


def names(array: pa.Array, missing: Sequence[str]) -> Names:
    """The words in a column: names of tags, or labels. Numbers and truth values are words as the file writes them."""
    if not pa.types.is_dictionary(array.type):
        if not (pa.types.is_string(array.type) or pa.types.is_large_string(array.type)):
            array = pc.cast(array, pa.string())
        array = array.dictionary_encode()
    words = [str(word).strip() for word in array.dictionary.to_pylist()]
    indices = np.asarray(array.indices.fill_null(-1)).astype(np.int64)
    absent = np.array([word in missing for word in words] + [True])
    return Names(words, np.where(absent[indices], -1, indices))
