"""What an analysis engine is.

An engine is found through the entry point group `sos_ops.engines`: a class with this interface, named there.

    [project.entry-points."sos_ops.engines"]
    my_engine = "my_package.engine:MyEngine"

It reads readings and returns results; the platform writes them into the table of its partner, through the same door
as every other row of that partner. An engine that raises fails alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import pandas as pd

from sos_ops.safety.score import Limits

PENDING = "pending"
"""The quality of a row whose device is still being read."""


@dataclass(frozen=True)
class Withheld:
    """A result an engine could not give, and why."""

    tag: str
    reason: str


@dataclass(frozen=True)
class Analysis:
    """What an engine found.

    Attributes:
        results: columns `timestamp` (UTC), `tag` (full name: bare at the default site, `site/name` elsewhere) and
            `value` (finite, in the tag's unit).
        withheld: tags without a result, with the reason, for the person on call.
    """

    results: pd.DataFrame
    withheld: tuple[Withheld, ...] = ()


@runtime_checkable
class Engine(Protocol):
    """An analysis engine.

    Attributes:
        name: unique among the engines installed.
        partner: the partner whose table it writes.
    """

    name: str
    partner: str

    def analyse(self, readings: pd.DataFrame, limits: Mapping[str, Limits]) -> Analysis:
        """Analyses the readings of some minutes.

        Args:
            readings: one row a point, columns minute, device, site, point, value, quality, read_at; a device that
                was to be read and was not read completely has further rows without value, one for each point of its
                map that was not read (or one without point, where its map is not known: it may measure anything).
                Their quality is `not_read`, or `PENDING` while the device is still being read: the same minute comes
                again when that is over.
            limits: the limits now in force of the partner's tags, by full tag name; only these tags are written.

        Returns:
            Results stamped with the minute they belong to.
        """
