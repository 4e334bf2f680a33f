"""Connections to PostgreSQL, set up alike for tasks, the page and the command line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import psycopg

from sos_ops.errors import DatabaseUnavailableError, SosOpsError

Connection = psycopg.Connection[tuple[Any, ...]]

Connect = Callable[[], AbstractContextManager[Connection]]
"""Opens a connection whose transaction commits when the block ends."""

CONNECT_TIMEOUT_S = 5


@contextmanager
def connect(database_url: str, *, actor: str | None = None) -> Iterator[Connection]:
    """One transaction on a new connection: committed when the block ends, rolled back when it raises.

    Args:
        database_url: a PostgreSQL URL.
        actor: who is acting, kept with every change of configuration (default: the login).

    Raises:
        DatabaseUnavailableError: the server does not answer.
        SosOpsError: the database refused what was asked, with its reason.
    """
    try:
        connection = psycopg.connect(
            database_url,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name="sos-ops",
            options="-c timezone=UTC",
        )
    except psycopg.OperationalError as error:
        raise DatabaseUnavailableError(
            f"PostgreSQL does not answer ({one_line(error)}): is `make up` running, or SOS_DATABASE_URL right?"
        ) from error
    try:
        with connection, refusals_as_errors():
            if actor:
                connection.execute("select set_config('sos_ops.actor', %s, false)", (actor,))
            yield connection
    except psycopg.OperationalError as error:
        raise DatabaseUnavailableError(f"PostgreSQL went away: {one_line(error)}") from error
    finally:
        connection.close()


@contextmanager
def refusals_as_errors() -> Iterator[None]:
    """Turns what the database refuses (a check, a rule of a door) into an error a person can read."""
    try:
        yield
    except (psycopg.IntegrityError, psycopg.DataError, psycopg.errors.ReservedName) as error:
        raise SosOpsError(explain_refusal(error)) from error
    except psycopg.errors.LockNotAvailable as error:
        raise SosOpsError(
            "another session holds these minutes or the limits for too long: find it in pg_stat_activity and end it"
        ) from error
    except psycopg.errors.FeatureNotSupported as error:
        raise SosOpsError(one_line(error)) from error


_CONSTRAINTS = {
    "threshold_differs_from_safe_value": (
        "the warning threshold equals the maximum safe value: depth has no scale between them, choose two values"
    ),
    "limits_within_reach": "the warning threshold and the maximum safe value must be below 8.9e307 in size",
    "tag_limits_maximum_safe_value_check": "the maximum safe value must be a finite number",
    "tag_limits_warning_threshold_check": "the warning threshold must be a finite number",
    "tag_limits_upper_safety_limit_check": "the upper safety limit must lie between 0 and 1, both excluded",
    "tag_limits_max_age_s_check": "max_age must lie between 1 s and one day",
    "tag_limits_max_count_check": "MAX_COUNT must be at least 1",
    "tag_active_name": "a tag of this name exists already",
    "tag_tag_check": "a tag name has 1 to 64 characters, none of them space, quote, semicolon, backslash, %, {, } or $",
    "site_site_check": "a site name has 1 to 64 characters, no space, quote, semicolon, backslash, %, {, } or $",
    "partner_name_key": "a partner of this name exists already",
    "device_active_name": "a device of this name exists already",
}


def explain_refusal(error: psycopg.Error) -> str:
    """The database's refusal in one line, by the constraint's name where there is one."""
    return _CONSTRAINTS.get(error.diag.constraint_name or "", one_line(error))


def one_line(error: Exception) -> str:
    """The first line of an error, without the trailing dot."""
    text = getattr(getattr(error, "diag", None), "message_primary", None) or str(error)
    return text.strip().splitlines()[0] if text.strip() else type(error).__name__
