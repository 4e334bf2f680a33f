"""The database this command line works on."""

from __future__ import annotations

import getpass
from contextlib import AbstractContextManager

from psycopg.conninfo import conninfo_to_dict

from sos_ops.errors import SosOpsError
from sos_ops.settings import get_settings
from sos_ops.stack.layout import layout
from sos_ops.stack.secrets import database_url
from sos_ops.store.connection import Connection
from sos_ops.store.connection import connect as connect_to


def url() -> str:
    """The platform's database URL, by the settings of this process.

    Raises:
        SosOpsError: no platform was ever started here.
    """
    settings = get_settings()
    if settings.uses_embedded_postgres and not layout(settings).secrets.exists():
        raise SosOpsError(f"no platform under {settings.home}: start one with `make up`, or set SOS_HOME")
    return database_url(settings)


def libpq_environment(database_url: str) -> dict[str, str]:
    """The variables by which PostgreSQL's own programs find a database."""
    parts = conninfo_to_dict(database_url)
    names = {
        "host": "PGHOST",
        "port": "PGPORT",
        "user": "PGUSER",
        "password": "PGPASSWORD",
        "dbname": "PGDATABASE",
    }
    return {variable: str(parts[name]) for name, variable in names.items() if parts.get(name) is not None}


def who() -> str:
    """Who runs this command, by the operating system: kept with what he changes."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "sos-ops"  # an account without a name, as in a container


def connect(actor: str | None = None) -> AbstractContextManager[Connection]:
    """One transaction on the platform's database, on behalf of whoever runs the command."""
    return connect_to(url(), actor=actor)
