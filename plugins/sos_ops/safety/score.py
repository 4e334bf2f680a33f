"""Depth and score of a tag: how far a value has gone towards its limit, and how safe that is.

The form is the document's, which follows E. Cabrera-Castillo, F. Niedermeier, A. Jossen, "Calculation of the
state of safety (SOS) for lithium ion batteries", J. Power Sources 324 (2016) 509-520, as restated publicly:

    u = (x - x100) / (xL - x100)
    f = 1                               if u <= 0
    f = 1 / (1 + (1/L - 1) * (u*u))     otherwise

With L = 0.8 the factor (1/L - 1) is the document's 0.25. `u` is exactly 1 at the warning threshold, whatever the
limits, so "at the threshold" is decided on u and never by comparing f with L.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sos_ops.errors import InvalidConfigurationError

Floats = NDArray[np.float64]

_LARGEST = 8.9e307
"""Half of what a number can hold: the difference of two such limits is a number too."""


@dataclass(frozen=True)
class Limits:
    """The limits of one tag, in the tag's unit.

    Attributes:
        maximum_safe_value: x100, the last value that costs no safety.
        warning_threshold: xL, where the score has fallen to `upper_safety_limit`; below x100 for a lower limit.
        upper_safety_limit: L, between 0 and 1, both excluded.

    Raises:
        InvalidConfigurationError: when a limit is no finite number, both are equal, or L is outside (0, 1).
    """

    maximum_safe_value: float
    warning_threshold: float
    upper_safety_limit: float = 0.8

    def __post_init__(self) -> None:
        for name in ("maximum_safe_value", "warning_threshold", "upper_safety_limit"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < _LARGEST:
                raise InvalidConfigurationError(f"{name} must be a finite number, not {str(value)[:40]!r}")
        if float(self.maximum_safe_value) == float(self.warning_threshold):
            raise InvalidConfigurationError(
                f"warning_threshold equals maximum_safe_value ({self.maximum_safe_value}): "
                "depth has no scale between them, choose two values"
            )
        if not 0 < self.upper_safety_limit < 1:
            raise InvalidConfigurationError(
                f"upper_safety_limit must lie between 0 and 1, both excluded, not {self.upper_safety_limit}"
            )


def depth(value: ArrayLike, maximum_safe_value: ArrayLike, warning_threshold: ArrayLike) -> Floats:
    """Depth u of values between the maximum safe value (0) and the warning threshold (1), and beyond.

    Args:
        value: x, finite, in the tag's unit; any shape.
        maximum_safe_value: x100, broadcast against `value`.
        warning_threshold: xL, different from x100.

    Returns:
        u, dimensionless, of the broadcast shape; infinite where the quotient overflows.
    """
    x100 = np.asarray(maximum_safe_value, dtype=np.float64)
    with np.errstate(over="ignore"):
        result: Floats = (np.asarray(value, dtype=np.float64) - x100) / (np.asarray(warning_threshold) - x100)
    return result


def score_of_depth(u: ArrayLike, upper_safety_limit: ArrayLike) -> Floats:
    """Score f of depths: 1 up to the maximum safe value, L at the threshold, towards 0 beyond.

    Args:
        u: depth, any shape; infinities allowed.
        upper_safety_limit: L in (0, 1), broadcast against `u`.

    Returns:
        f in [0, 1], of the broadcast shape.
    """
    u = np.asarray(u, dtype=np.float64)
    with np.errstate(over="ignore"):
        # Below 5.6e-309 the inverse overflows; times a square that underflowed to 0 it would be no number.
        inverse = np.minimum(1.0 / np.asarray(upper_safety_limit, dtype=np.float64), np.finfo(np.float64).max)
        steepness = inverse - 1.0
        fallen = 1.0 / (1.0 + steepness * (u * u))
    result: Floats = np.where(u <= 0.0, 1.0, fallen)
    return result


def score(value: ArrayLike, limits: Limits) -> Floats:
    """Score f of values of one tag: `score_of_depth(depth(x))`."""
    return score_of_depth(
        depth(value, limits.maximum_safe_value, limits.warning_threshold), limits.upper_safety_limit
    )
