"""Fewer points for the same picture: every extreme and every gap stays."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

MAX_POINTS = 2_000
"""More than a chart has pixels, few enough for a year of four lines in 250 kB."""


def thin(values: Sequence[float | None], points: int = MAX_POINTS) -> list[int]:
    """The indices to draw.

    The lowest and the highest of each bucket are kept (MinMax guarantees it by construction; largest-triangle
    methods and means lose spikes), the first and the last value, and the first `None` of each run, so that a gap
    stays a gap.

    Args:
        values: evenly meant samples, None where there is none.
        points: about how many values to keep.

    Returns:
        Ascending indices into `values`; all of them when there are no more than `points`.
    """
    if len(values) <= points:
        return list(range(len(values)))
    from tsdownsample import MinMaxDownsampler

    y = np.array(values, dtype=np.float64)
    absent = np.isnan(y)
    present = np.flatnonzero(~absent)
    gaps = np.flatnonzero(absent & ~np.concatenate(([False], absent[:-1])))
    if present.size > points:
        chosen = MinMaxDownsampler().downsample(  # type: ignore[no-untyped-call]
            np.ascontiguousarray(y[present]), n_out=points - points % 2
        )
        present = np.concatenate((present[:1], present[chosen], present[-1:]))
    kept: NDArray[np.int64] = np.unique(np.concatenate((present, gaps)))
    return [int(i) for i in kept]
