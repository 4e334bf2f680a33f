"""Which result counts for a minute: the newest one of the tag with `t - max_age < TIMESTAMP <= t`.

Never "the latest row", however old: a value of three hours ago says nothing about now.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Micros = NDArray[np.int64]
"""Times as integer microseconds on any common origin."""


class Missing(StrEnum):
    """Why a tag has no value at a minute."""

    NONE = "none"
    """It never had an accepted result up to that minute."""
    STALE = "stale"
    """Its newest accepted result is `max_age` old or more."""
    SET_ASIDE = "set_aside"
    """Fresh results exist, but none was accepted."""
    NOT_VALIDATED = "not_validated"
    """Fresh results exist that nobody has validated yet."""


def newest_within(
    result_tag: NDArray[np.int64], result_ts: Micros, tag_count: int, minutes: Micros, max_age: Micros
) -> NDArray[np.int64]:
    """The index of the result that counts, per minute and tag.

    Args:
        result_tag: tag number (0..tag_count-1) of each result; results sorted by (tag, ts), each pair once.
        result_ts: TIMESTAMP of each result, microseconds.
        tag_count: number of tags.
        minutes: the minutes asked for, microseconds, shape (m,).
        max_age: age at which a result stops counting, microseconds, shape (m, tag_count).

    Returns:
        Indices into the results, shape (m, tag_count); -1 where none is fresh.
    """
    if result_ts.size == 0 or minutes.size == 0 or tag_count == 0:
        return np.full((minutes.size, tag_count), -1, dtype=np.int64)
    origin = min(int(result_ts.min()), int(minutes.min()))
    span = max(int(result_ts.max()), int(minutes.max())) - origin + 1
    # One sorted key for all tags: a single binary search then serves every tag and minute.
    keys = result_tag * span + (result_ts - origin)
    tags = np.arange(tag_count, dtype=np.int64)
    wanted = tags[None, :] * span + (minutes - origin)[:, None]
    found = np.searchsorted(keys, wanted, side="right") - 1
    at = np.maximum(found, 0)
    fresh = (found >= 0) & (result_tag[at] == tags[None, :]) & (result_ts[at] > minutes[:, None] - max_age)
    return np.where(fresh, found, -1)
