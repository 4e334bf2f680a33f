"""Imported readings judged as polled ones are: finite, plausible, or unlikely and pointing to danger or to safety."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from sos_ops.modbus.decode import Quality
from sos_ops.modbus.protocol_map import Danger, Point

QUALITIES = (Quality.GOOD, Quality.IMPLAUSIBLE_DANGEROUS, Quality.IMPLAUSIBLE_SAFE)
"""What `judge` counts into."""


def judge(
    ids: NDArray[np.int32], values: NDArray[np.float64], points: Mapping[int, Point]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int32]]:
    """What of these values counts.

    A value outside its point's plausible range counts when it points to danger; else it is kept aside.

    Args:
        ids: the point of each value, by its id.
        values: in the point's unit, finite.
        points: the points by their ids.

    Returns:
        The values that count and those that are suspect (NaN where there is none), and which of `QUALITIES` each has.
    """
    quality = np.zeros(len(values), np.int32)
    for point_id, point in points.items():
        if point.plausible is None:
            continue
        lowest, highest = float(point.plausible[0]), float(point.plausible[1])
        for outside, danger in ((values > highest, Danger.HIGH), (values < lowest, Danger.LOW)):
            dangerous = point.danger in (Danger.BOTH, danger)
            quality[(ids == point_id) & outside] = 1 if dangerous else 2
    aside = quality == 2
    return np.where(aside, np.nan, values), np.where(aside, values, np.nan), quality
