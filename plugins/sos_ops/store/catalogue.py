"""Partners, tags and sets: what is configured, changed only through the database's own rules."""

from __future__ import annotations

import secrets
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql as composed

from sos_ops.errors import SosOpsError, UnknownNameError
from sos_ops.safety.score import Limits
from sos_ops.store import sql
from sos_ops.store.connection import Connection, one_line

PARTNER_ROLE_PREFIX = "partner_"


def partner_names(connection: Connection) -> list[str]:
    """Every partner, by name."""
    return [str(row[0]) for row in connection.execute("select name from sos_ops.partner order by name")]


def add_partner(connection: Connection, name: str) -> None:
    """Makes a partner: its result table, and the relation `keti.NAME` it writes into.

    Raises:
        SosOpsError: the name is not allowed, or taken.
    """
    connection.execute("select sos_ops.add_partner(%s)", (name,))


def give_login(connection: Connection, name: str, database_url: str) -> str:
    """Gives a partner a login that may insert into its own relation and nothing else; replaces its password.

    Returns:
        The connection URL, the only place where the password is ever shown.

    Raises:
        UnknownNameError: there is no such partner.
        SosOpsError: the platform's own login may not create roles.
    """
    if name not in partner_names(connection):
        raise UnknownNameError(f"no partner {name!r}: add it with `sos-ops partner add {name}`")
    role, password = PARTNER_ROLE_PREFIX + name, secrets.token_urlsafe(24)
    exists = connection.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone() is not None
    verb = "alter" if exists else "create"
    its_role, door = composed.Identifier(role), composed.Identifier("keti", name)
    statements = [
        composed.SQL(
            "{verb} role {role} login nosuperuser nocreatedb nocreaterole connection limit 3 password {password}"
        ).format(verb=composed.SQL(verb), role=its_role, password=composed.Literal(password)),
        composed.SQL("alter role {role} set search_path = keti").format(role=its_role),
        composed.SQL("alter role {role} set statement_timeout = '30s'").format(role=its_role),
        composed.SQL("alter role {role} set idle_in_transaction_session_timeout = '60s'").format(
            role=its_role
        ),
        composed.SQL("grant usage on schema keti to {role}").format(role=its_role),
        composed.SQL("grant insert on {door} to {role}").format(door=door, role=its_role),
    ]
    try:
        for statement in statements:
            connection.execute(statement)
    except psycopg.errors.InsufficientPrivilege as error:
        raise SosOpsError(
            f"the platform's login may not create roles ({one_line(error)}): grant it CREATEROLE"
        ) from error
    return _with_login(database_url, role, password)


def _with_login(database_url: str, role: str, password: str) -> str:
    parts = urlsplit(database_url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role)}:{quote(password)}@{host}"))


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
        },
    ).fetchone()
    assert row is not None  # noqa: S101  # a function call returns one row
    return int(row[0])


def retire_tag(connection: Connection, tag: str) -> None:
    """Retires a tag and every set it belongs to. Their history stays."""
    connection.execute("select sos_ops.retire_tag(%s)", (_tag_id(connection, tag),))


def change_limits(
    connection: Connection,
    tag: str,
    *,
    maximum_safe_value: float,
    warning_threshold: float,
    upper_safety_limit: float | None = None,
    max_age_s: int | None = None,
    max_count: int | None = None,
    action: str | None = None,
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

    Returns:
        The version now in force; the old one when nothing changed.
    """
    parameters = {
        "tag_id": _tag_id(connection, tag),
        "x100": maximum_safe_value,
        "xl": warning_threshold,
        "l": upper_safety_limit,
        "max_age_s": max_age_s,
        "max_count": max_count,
        "action": action,
    }
    row = connection.execute(sql.load("change_limits"), parameters).fetchone()
    assert row is not None  # noqa: S101  # a function call returns one row
    return int(row[0])


def _tag_id(connection: Connection, tag: str) -> int:
    row = connection.execute("select tag_id from sos_ops.tag_current where tag = %s", (tag,)).fetchone()
    if row is None:
        raise UnknownNameError(f"no tag {tag!r}: `sos-ops tag list` shows the known ones")
    return int(row[0])


def retire_set(connection: Connection, set_id: int) -> None:
    """Retires a set. Its history stays."""
    connection.execute("select sos_ops.retire_set(%s)", (set_id,))
