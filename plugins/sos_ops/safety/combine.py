"""SoS of sets: the product of their tags' scores, its upper bound where tags are missing, and who caused the loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sos_ops.safety.score import Floats

MAX_TAGS = 4


@dataclass(frozen=True)
class CombinedSets:
    """SoS of every set at every minute; all arrays of shape (minutes, sets).

    Attributes:
        upper: product over the known tags, 1.0 where none is known; the SoS where `complete`.
        known: number of tags of the set with a fresh accepted result.
        complete: whether all of them had one.
        limiting: column (tag number) of the lowest score below 1, the first in byte order of equals; -1 if none.
        sizes: number of tags of each set, shape (sets,).
    """

    upper: Floats
    known: NDArray[np.int16]
    complete: NDArray[np.bool_]
    limiting: NDArray[np.int64]
    sizes: NDArray[np.int64]


def members_matrix(sets: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Tag numbers of each set, shape (sets, 4), padded by -1.

    Args:
        sets: per set its tag numbers in the tags' byte order: scores are multiplied in that order, so that the
            bits never depend on who listed the tags.
    """
    matrix = np.full((len(sets), MAX_TAGS), -1, dtype=np.int64)
    if sets:
        sizes = np.fromiter((len(s) for s in sets), dtype=np.int64, count=len(sets))
        flat = np.fromiter((t for s in sets for t in s), dtype=np.int64, count=int(sizes.sum()))
        rows = np.repeat(np.arange(len(sets)), sizes)
        columns = np.arange(flat.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        matrix[rows, columns] = flat
    return matrix


def combine(scores: Floats, known: NDArray[np.bool_], members: NDArray[np.int64]) -> CombinedSets:
    """SoS of every set at every minute.

    Args:
        scores: f of each tag at each minute, shape (minutes, tags); ignored where not known.
        known: whether the tag has a fresh accepted result, same shape.
        members: see `members_matrix`, shape (sets, 4).
    """
    minutes = scores.shape[0]
    # A neutral last column serves both the padding (-1) and the missing tags: multiplying by 1.0 is exact.
    neutral = np.ones((minutes, scores.shape[1] + 1))
    neutral[:, :-1] = np.where(known, scores, 1.0)
    counted = np.zeros(neutral.shape, dtype=np.int16)
    counted[:, :-1] = known
    first = members[:, 0]
    upper, lowest, count = neutral[:, first], neutral[:, first], counted[:, first]
    limiting = np.broadcast_to(first, upper.shape).copy()
    for column in range(1, MAX_TAGS):
        tag = members[:, column]
        factor = neutral[:, tag]
        upper = upper * factor
        limiting = np.where(factor < lowest, tag, limiting)
        lowest = np.minimum(lowest, factor)
        count = count + counted[:, tag]
    sizes = (members >= 0).sum(axis=1)
    return CombinedSets(
        upper=upper,
        known=count.astype(np.int16),
        complete=count == sizes[None, :],
        limiting=np.where(lowest < 1.0, limiting, -1),
        sizes=sizes,
    )


def sos_of(scores: Sequence[float]) -> float:
    """SoS of one set from its scores in the tags' byte order, multiplied from the left."""
    return math.prod(scores, start=1.0)


def shares(scores: Sequence[float]) -> list[float]:
    """How much of the loss each tag causes: ln f_i / sum ln f_j; all 0 when nothing is lost.

    A score of 0 has an infinite loss: such tags share it equally, and the others have none of it.
    """
    zeros = sum(1 for f in scores if f == 0.0)
    if zeros:
        return [1.0 / zeros if f == 0.0 else 0.0 for f in scores]
    losses = [math.log(f) for f in scores]
    total = math.fsum(losses)
    return [0.0 if total == 0.0 else loss / total + 0.0 for loss in losses]
