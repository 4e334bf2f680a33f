"""Bands of SoS: what a number, or only an upper bound of it, allows to say."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from sos_ops.errors import InvalidConfigurationError
from sos_ops.safety.score import Floats


class Band(StrEnum):
    """What SoS means for the operator, mildest first."""

    SAFE = "safe"
    WARNING = "warning"
    CRITICAL = "critical"
    UNKNOWN = "unknown"


BAND_ORDER = (Band.SAFE, Band.WARNING, Band.CRITICAL, Band.UNKNOWN)
"""Bands by the code that `bands_of` returns."""


@dataclass(frozen=True)
class BandLimits:
    """Where the bands begin; see docs/adr/0002-bands.md.

    Raises:
        InvalidConfigurationError: unless 0 < critical_below <= warning_below <= 1.
    """

    warning_below: float = 0.80
    critical_below: float = 0.40

    def __post_init__(self) -> None:
        if not 0 < self.critical_below <= self.warning_below <= 1:
            raise InvalidConfigurationError(
                f"bands need 0 < critical ({self.critical_below}) <= warning ({self.warning_below}) <= 1"
            )


def bands_of(
    upper: Floats, complete: NDArray[np.bool_], warning_below: Floats, critical_below: Floats
) -> NDArray[np.int8]:
    """The band of each SoS: by its value where complete, by its upper bound otherwise.

    Absent data can prove danger, never safety: an incomplete SoS is warning or critical when its bound is,
    and unknown in every other case.

    Args:
        upper: product of the known scores; the SoS itself where complete.
        complete: whether every tag of the set was known; same shape.
        warning_below: the band limit, broadcast against `upper`.
        critical_below: the band limit, broadcast against `upper`.

    Returns:
        Codes into `BAND_ORDER`, same shape.
    """
    otherwise = np.where(complete, 0, 3)
    return np.where(upper < critical_below, 2, np.where(upper < warning_below, 1, otherwise)).astype(np.int8)


def band_of(upper: float, *, complete: bool, limits: BandLimits) -> Band:
    """The band of one SoS; see `bands_of`."""
    code = bands_of(
        np.array([upper]),
        np.array([complete]),
        np.array([limits.warning_below]),
        np.array([limits.critical_below]),
    )
    return BAND_ORDER[int(code[0])]
