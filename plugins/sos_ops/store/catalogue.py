"""Partners, tags and sets: what is configured, changed only through the database's own rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sos_ops.errors import UnknownNameError
from sos_ops.safety.score import Limits
from sos_ops.store import sql
from sos_ops.store.connection import Connection


def partner_names(connection: Connection) -> list[str]:
    """Every partner in use, by name."""
    query = "select name from sos_ops.partner where retired_at is null order by name"
    return [str(row[0]) for row in connection.execute(query)]


def add_partner(connection: Connection, name: str) -> None:
    """Makes a partner: its result table, and the relation `keti.NAME` it writes into; brings a retired one back.

    Raises:
        SosOpsError: the name is not allowed, or taken.
    """
    connection.execute("select sos_ops.add_partner(%s)", (name,))


def retire_partner(connection: Connection, name: str) -> int:
    """Retires a partner, its tags and the sets they belong to; returns the number of tags. Their history stays."""
    row = connection.execute(
        "select sos_ops.retire_partner(%s)", (_partner_in_use(connection, name),)
    ).fetchone()
    assert row is not None  # noqa: S101  # a function call returns one row
    return int(row[0])


def what_retires_with(connection: Connection, name: str) -> tuple[list[str], list[int]]:
    """The tags of a partner, and the sets that would end with them.

    Raises:
        UnknownNameError: there is no such partner, or it is retired already.
    """
    row = connection.execute(
        sql.load("select_tags_and_sets_of_partner"),
        {"partner": _partner_in_use(connection, name), "tag": None},
    ).fetchone()
    assert row is not None  # noqa: S101  # aggregates return one row
    return list(row[0]), list(row[1])


def _partner_in_use(connection: Connection, name: str) -> str:
    if name not in partner_names(connection):
        raise UnknownNameError(
            f"no partner {_shown(name)} in use: `sos-ops partner list` shows the known ones"
        )
    return name


def add_tag(
    connection: Connection,
    tag: str,
    *,
    partner: str,
    limits: Limits,
    max_age_s: int = 180,
    max_count: int = 2,
    action: str | None = None,
    unit: str | None = None,
    why: str | None = None,
) -> int:
    """Adds a tag of a partner and returns its id; its first limits hold from the beginning of time."""
    row = connection.execute(
        sql.load("add_tag"),
        {
            "tag": tag,
            "partner": partner,
            "x100": limits.maximum_safe_value,
            "xl": limits.warning_threshold,
            "l": limits.upper_safety_limit,
            "max_age_s": max_age_s,
            "max_count": max_count,
            "action": action,
            "unit": unit,
            "why": why,
        },
    ).fetchone()
    assert row is not None  # noqa: S101  # a function call returns one row
    return int(row[0])


def sets_of_tag(connection: Connection, tag: str) -> list[int]:
    """The sets in use that a tag belongs to, which would end with it.

    Raises:
        UnknownNameError: there is no such tag in use.
    """
    _tag_id(connection, tag)
    row = connection.execute(
        sql.load("select_tags_and_sets_of_partner"), {"partner": None, "tag": tag}
    ).fetchone()
    assert row is not None  # noqa: S101  # aggregates return one row
    return list(row[1])


def retire_tag(connection: Connection, tag: str) -> None:
    """Retires a tag and every set it belongs to. Their history stays."""
    connection.execute("select sos_ops.retire_tag(%s)", (_tag_id(connection, tag),))


def change_limits(
    connection: Connection,
    tag: str,
    *,
    maximum_safe_value: float | None = None,
    warning_threshold: float | None = None,
    upper_safety_limit: float | None = None,
    max_age_s: int | None = None,
    max_count: int | None = None,
    action: str | None = None,
    why: str | None = None,
) -> int:
    """Gives a tag a new version of its limits, from after the newest decided minute. Unnamed ones stay.

    Args:
        connection: an open transaction.
        tag: a tag in use.
        maximum_safe_value: x100; the warning threshold must lie on the same side of it as before.
        warning_threshold: xL.
        upper_safety_limit: L in (0, 1).
        max_age_s: seconds after which a result no longer counts.
        max_count: MAX_COUNT.
        action: ACTION; empty: no control.
        why: the reason, kept with the version.

    Returns:
        The version now in force; the old one when nothing changed.
    """
    # What is not named stays as it is once nobody else changes it.
    connection.execute("select sos_ops.lock_limits_for_change()")
    parameters = {
        "tag_id": _tag_id(connection, tag),
        "x100": maximum_safe_value,
        "xl": warning_threshold,
        "l": upper_safety_limit,
        "max_age_s": max_age_s,
        "max_count": max_count,
        "action": action,
        "why": why,
    }
    row = connection.execute(sql.load("change_limits"), parameters).fetchone()
    assert row is not None  # noqa: S101  # a function call returns one row
    return int(row[0])


def _tag_id(connection: Connection, tag: str) -> int:
    row = connection.execute("select tag_id from sos_ops.tag_current where tag = %s", (tag,)).fetchone()
    if row is None:
        raise UnknownNameError(f"no tag {_shown(tag)}: `sos-ops tag list` shows the known ones")
    return int(row[0])


def _shown(name: str) -> str:
    """A name that may be anything, as much of it as a line holds."""
    return repr(name) if len(name) <= 80 else f"{name[:80]!r}..."


@dataclass(frozen=True)
class LimitsVersion:
    """A version of a tag's limits, with who changed them, when and why; `valid_from` None: from the beginning."""

    version: int
    valid_from: datetime | None
    maximum_safe_value: float
    warning_threshold: float
    upper_safety_limit: float
    max_age_s: int
    max_count: int
    action: str | None
    changed_by: str
    changed_at: datetime
    why: str


def limits_history(connection: Connection, tag: str) -> list[LimitsVersion]:
    """Every version of the limits of a tag in use, oldest first."""
    rows = connection.execute(sql.load("select_limits_history"), {"tag_id": _tag_id(connection, tag)})
    return [LimitsVersion(*row) for row in rows]


def retire_set(connection: Connection, set_id: int) -> None:
    """Retires a set. Its history stays."""
    connection.execute("select sos_ops.retire_set(%s)", (set_id,))
