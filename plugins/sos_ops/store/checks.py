"""A tag's own tests of its results: the plausible range, the largest rate of change, when a value is stuck."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime

from sos_ops.clock import both_zones
from sos_ops.errors import InvalidConfigurationError, UnknownNameError
from sos_ops.store import sql
from sos_ops.store.connection import Connection


@dataclass(frozen=True)
class TagChecks:
    """The tests of one tag; None where none is set, and of a tag whose tests nobody ever set.

    Attributes:
        plausible_low: the lowest believable value, in the unit of the value.
        plausible_high: the highest one.
        max_rate: the largest believable change, per minute.
        stuck_minutes: a noisy value that is bit-identical for so long is stuck.
        version: 0 before the first change.
    """

    plausible_low: float | None
    plausible_high: float | None
    max_rate: float | None
    stuck_minutes: float | None
    version: int
    changed_by: str | None
    changed_at: datetime | None
    why: str | None

    def told(self) -> str:
        """The tests in one line, with who set them and why."""
        tests = []
        if self.plausible_low is not None or self.plausible_high is not None:
            low = "anything" if self.plausible_low is None else f"{self.plausible_low:g}"
            high = "anything" if self.plausible_high is None else f"{self.plausible_high:g}"
            tests.append(f"plausible from {low} to {high}")
        if self.max_rate is not None:
            tests.append(f"at most {self.max_rate:g} of change a minute")
        if self.stuck_minutes is not None:
            tests.append(f"stuck after {self.stuck_minutes:g} minutes without change")
        said = "; ".join(tests) or "its values are not tested (no range, rate or stuck limit is set)"
        if self.changed_at is None:
            return said
        return (
            f"{said}. Version {self.version}, by {self.changed_by} {both_zones(self.changed_at)}: {self.why}"
        )


def tag_checks(connection: Connection, tag: str) -> TagChecks:
    """The tests of a tag in use.

    Raises:
        UnknownNameError: there is no such tag.
    """
    row = connection.execute(sql.load("select_tag_checks"), {"tag": tag}).fetchone()
    if row is None:
        raise UnknownNameError(f"no tag {tag!r}: `sos-ops tag list` shows the known ones")
    low, high, max_rate, stuck_minutes, version, changed_by, changed_at, why = row
    return TagChecks(low, high, max_rate, stuck_minutes, version or 0, changed_by, changed_at, why)


def change_checks(
    connection: Connection,
    tag: str,
    *,
    plausible_low: float | None = None,
    plausible_high: float | None = None,
    max_rate: float | None = None,
    stuck_minutes: float | None = None,
    why: str | None = None,
) -> TagChecks:
    """Changes a tag's tests from the next validation on. None leaves one as it is, an infinity takes it away.

    Args:
        connection: an open transaction.
        tag: a tag in use.
        plausible_low: lowest believable value, below `plausible_high`.
        plausible_high: highest believable value.
        max_rate: largest believable change per minute, above 0.
        stuck_minutes: more than 0, at most a day.
        why: the reason, kept with the version.

    Raises:
        UnknownNameError: there is no such tag.
        InvalidConfigurationError: a number cannot be used.
    """
    before = tag_checks(connection, tag)
    asked = {
        "plausible_low": plausible_low,
        "plausible_high": plausible_high,
        "max_rate": max_rate,
        "stuck_minutes": stuck_minutes,
    }
    _refuse_nonsense(before, asked)
    connection.execute(
        "select 1 from sos_ops.tag where tag = %s and retired_at is null for update", (tag,)
    )  # two changes at once come one after the other
    connection.execute(sql.load("insert_tag_checks"), {"tag": tag, "why": why, **asked})
    return tag_checks(connection, tag)


def _refuse_nonsense(before: TagChecks, asked: dict[str, float | None]) -> None:
    for name, value in asked.items():
        if value is not None and math.isnan(value):
            raise InvalidConfigurationError(f"{name} must be a number, or inf for none")
    after = {name: getattr(before, name) if value is None else value for name, value in asked.items()}
    low, high, max_rate, stuck = after.values()
    if low is not None and high is not None and not low < high:
        raise InvalidConfigurationError(f"the plausible range must rise: {low:g} is not below {high:g}")
    if max_rate is not None and not max_rate > 0:
        raise InvalidConfigurationError("the largest rate of change must be above 0, or inf for none")
    if stuck is not None and not (0 < stuck <= 1440 or stuck == math.inf):
        raise InvalidConfigurationError(
            "minutes until a value is stuck: above 0, at most 1440, or inf for none"
        )
