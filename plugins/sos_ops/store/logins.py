"""Partners' logins on the database server: what they may do is granted here and nowhere else."""

from __future__ import annotations

import secrets
from urllib.parse import quote, urlsplit, urlunsplit

import psycopg
from psycopg import sql as composed

from sos_ops.errors import SosOpsError, UnknownNameError
from sos_ops.store import sql
from sos_ops.store.connection import Connection, one_line

PARTNER_ROLE_PREFIX = "partner_"
CONNECTIONS = 3
"""Sessions a partner may have at once."""

_SETTINGS = {
    "search_path": "keti",
    "timezone": "UTC",
    "statement_timeout": "30s",
    "lock_timeout": "10s",
    "idle_in_transaction_session_timeout": "60s",
}
"""A session may set these otherwise for itself: `end_long_sessions` is what holds."""

_SETTINGS_OF_17 = {"transaction_timeout": "5min"}

_SETTINGS_BY_SUPERUSER = {
    # A refused COPY of a million rows is one line in the server's log, not the million rows.
    "log_min_error_statement": "panic",
    "temp_file_limit": "256MB",
}
"""Only a superuser may give these, and the session cannot take them back."""

OWN_VIEWS = ("result", "set_aside", "tag_list", "warning_request", "health")
"""The views of schema `mine`, which show each partner its own rows."""


def role_of(name: str) -> str:
    """The login role of a partner."""
    return PARTNER_ROLE_PREFIX + name


def give_login(connection: Connection, name: str, database_url: str) -> str:
    """Gives a partner a login with just what a partner may do; replaces its password.

    It may insert into its own relation, read its own rows in schema `mine`, and nothing else.

    Args:
        connection: an open transaction of the platform's own login.
        name: a partner in use.
        database_url: where the platform's database is reached; only its login is replaced.

    Returns:
        The connection URL, the only place where the password is ever shown.

    Raises:
        UnknownNameError: there is no such partner, or it is retired.
        SosOpsError: the server does not let the platform make the login, or the login could do more than it may.
    """
    found = connection.execute(
        "select 1 from sos_ops.partner where name = %s and retired_at is null", (name,)
    ).fetchone()
    if found is None:
        raise UnknownNameError(
            f"no partner {name[:80]!r} in use: add it with `sos-ops partner add`, `sos-ops partner list` shows them"
        )
    password = secrets.token_urlsafe(24)
    try:
        _make_role(connection, role_of(name), password)
        _close_database(connection)
        _grant(connection, name)
    except psycopg.errors.InsufficientPrivilege as error:
        raise SosOpsError(
            f"the platform's login may not make this one ({one_line(error)}): give it CREATEROLE and its database"
        ) from error
    _refuse_more(connection, role_of(name))
    return _with_login(database_url, role_of(name), password)


def _make_role(connection: Connection, role: str, password: str) -> None:
    identifier, secret = composed.Identifier(role), composed.Literal(password)
    row = connection.execute(sql.load("select_role"), {"role": role}).fetchone()
    if row is None:
        made = "create role {} login nosuperuser nocreatedb nocreaterole noreplication noinherit"
        connection.execute(composed.SQL(made).format(identifier))
    elif row[0]:
        raise SosOpsError(
            f"the server has a role {role} already that may do more than a partner ({row[0]}): "
            "choose another name for the partner"
        )
    change = "alter role {} login connection limit {} password {} valid until 'infinity'"
    connection.execute(composed.SQL(change).format(identifier, composed.Literal(CONNECTIONS), secret))
    # A role may change its own settings, for one database too: they begin afresh with every password.
    connection.execute(composed.SQL("alter role {} reset all").format(identifier))
    database = composed.Identifier(connection.info.dbname)
    connection.execute(composed.SQL("alter role {} in database {} reset all").format(identifier, database))
    settings = dict(_SETTINGS)
    if connection.info.server_version >= 170_000:
        settings |= _SETTINGS_OF_17
    if _is_superuser(connection):
        settings |= _SETTINGS_BY_SUPERUSER
    for setting, value in settings.items():
        connection.execute(
            composed.SQL("alter role {} set {} = {}").format(
                identifier, composed.Identifier(setting), composed.Literal(value)
            )
        )


def _is_superuser(connection: Connection) -> bool:
    row = connection.execute("select rolsuper from pg_roles where rolname = current_user").fetchone()
    return bool(row and row[0])


def _close_database(connection: Connection) -> None:
    """Takes from everybody what PostgreSQL gives everybody in a database: temporary tables, and CREATE of old."""
    database = composed.Identifier(connection.info.dbname)
    row = connection.execute(
        "select has_database_privilege('public', current_database(), 'temporary'), "
        "to_regnamespace('public') is not null and has_schema_privilege('public', 'public', 'create')"
    ).fetchone()
    temporary, create = row or (True, True)
    if temporary:
        # The platform stages scores in temporary tables, whoever owns the database.
        connection.execute(
            composed.SQL("grant connect, temporary on database {} to current_user").format(database)
        )
        connection.execute(composed.SQL("revoke temporary on database {} from public").format(database))
    if create:
        connection.execute("revoke create on schema public from public")


def _grant(connection: Connection, name: str) -> None:
    role, database = composed.Identifier(role_of(name)), composed.Identifier(connection.info.dbname)
    connection.execute(
        composed.SQL("revoke all on all tables in schema keti, mine, sos_ops from {}").format(role)
    )
    for statement in (
        composed.SQL("grant connect on database {} to {}").format(database, role),
        composed.SQL("grant usage on schema keti, mine to {}").format(role),
        composed.SQL("grant insert on {} to {}").format(composed.Identifier("keti", name), role),
        composed.SQL("grant select on {} to {}").format(
            composed.SQL(", ").join(composed.Identifier("mine", view) for view in OWN_VIEWS), role
        ),
    ):
        connection.execute(statement)


def _refuse_more(connection: Connection, role: str) -> None:
    """Fails when the login could make tables: the database belongs to somebody else, who has to take that back."""
    row = connection.execute(
        "select has_database_privilege(%(role)s, current_database(), 'temporary') "
        "or has_database_privilege(%(role)s, current_database(), 'create') "
        "or (to_regnamespace('public') is not null and has_schema_privilege(%(role)s, 'public', 'create'))",
        {"role": role},
    ).fetchone()
    if row is not None and row[0]:
        database = connection.info.dbname
        raise SosOpsError(
            f"a partner could make tables in {database}: let its owner `revoke create, temporary on database "
            f"{database} from public` and `revoke create on schema public from public`, then try again"
        )


def loose_ends(connection: Connection, name: str) -> list[str]:
    """What a partner's login could still do because the server is not ours to close, a sentence each."""
    lines = []
    others = [str(row[0]) for row in connection.execute(sql.load("select_open_databases"), (role_of(name),))]
    if others:
        lines.append(
            f"this login may also connect to {', '.join(others)}: where that is not meant, "
            "`revoke connect on database ... from public`"
        )
    row = connection.execute(
        "select has_function_privilege(%s, 'pg_advisory_lock(bigint)', 'execute')", (role_of(name),)
    ).fetchone()
    if row and row[0]:
        lines.append(
            "this login may take advisory locks and so hold up scoring: as a superuser, revoke execute on "
            "the pg_advisory functions from public and grant it to the platform's login"
        )
    return lines


def end_login(connection: Connection, name: str) -> None:
    """Takes a partner's login away, with all it was granted here. The role itself stays, without a password."""
    role = composed.Identifier(role_of(name))
    if connection.execute(sql.load("select_role"), {"role": role_of(name)}).fetchone() is None:
        return
    try:
        connection.execute(composed.SQL("alter role {} nologin password null").format(role))
    except psycopg.errors.InsufficientPrivilege as error:
        raise SosOpsError(
            f"the platform's login may not end this one ({one_line(error)}): give it CREATEROLE"
        ) from error
    connection.execute(
        composed.SQL("revoke all on all tables in schema keti, mine, sos_ops from {}").format(role)
    )
    connection.execute(composed.SQL("revoke all on schema keti, mine from {}").format(role))


def end_sessions(connection: Connection, name: str) -> int:
    """Ends every session of a partner in this database; returns how many.

    To be called after the new password, or its end, is committed: until then the old one opens another session.
    """
    return _end(connection, "end_partner_sessions", {"role": role_of(name)})


def end_long_sessions(connection: Connection, longest_s: float) -> int:
    """Ends partners' sessions whose transaction is older than that many seconds; returns how many.

    Any session may lift its own timeouts. A transaction that stays open hides its rows until their minutes are
    long decided, and keeps the server from cleaning up.
    """
    return _end(
        connection, "end_long_partner_sessions", {"prefix": PARTNER_ROLE_PREFIX, "longest_s": longest_s}
    )


def _end(connection: Connection, query: str, parameters: dict[str, object]) -> int:
    try:
        with connection.transaction():
            return sum(bool(row[0]) for row in connection.execute(sql.load(query), parameters))
    except psycopg.errors.InsufficientPrivilege as error:
        raise SosOpsError(
            f"the platform's login may not end sessions ({one_line(error)}): grant it pg_signal_backend"
        ) from error


def _with_login(database_url: str, role: str, password: str) -> str:
    parts = urlsplit(database_url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{quote(role)}:{quote(password)}@{host}"))
