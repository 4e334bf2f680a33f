"""Brings a database to this version's schema."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection, make_url
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from sos_ops.errors import DatabaseUnavailableError, SosOpsError
from sos_ops.store.connection import one_line

MIGRATION_LOCK = 7_305_002
OLDEST_SERVER = 150_000


def migrate(database_url: str) -> list[str]:
    """Applies every migration the database has not seen, each in a transaction of its own.

    Args:
        database_url: a PostgreSQL URL whose role may create schemas.

    Returns:
        The revisions applied now, oldest first; empty when the schema was up to date.

    Raises:
        DatabaseUnavailableError: the server does not answer.
        SosOpsError: the server is older than PostgreSQL 15.
    """
    engine = create_engine(
        make_url(database_url).set(drivername="postgresql+psycopg"),
        poolclass=NullPool,
        connect_args={"options": "-c timezone=UTC"},
    )
    try:
        with engine.connect() as connection:
            return _migrate(connection)
    except OperationalError as error:
        raise DatabaseUnavailableError(
            f"PostgreSQL does not answer ({one_line(error.orig or error)}): start it, or mend SOS_DATABASE_URL"
        ) from error
    finally:
        engine.dispose()


def _migrate(connection: Connection) -> list[str]:
    version = connection.execute(text("select current_setting('server_version_num')::int")).scalar_one()
    if version < OLDEST_SERVER:
        raise SosOpsError(f"PostgreSQL {version // 10_000} is too old: the platform needs 15 or newer")
    # Session-wide, because each migration commits: two starts at once take turns.
    connection.execute(text("select pg_advisory_lock(:key)"), {"key": MIGRATION_LOCK})
    connection.execute(text("create schema if not exists sos_ops"))
    connection.commit()
    before = _applied(connection)
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    connection.commit()
    after = _applied(connection)
    return [] if before == after else [f"{n:04d}" for n in range(int(before or 0) + 1, int(after or 0) + 1)]


def _applied(connection: Connection) -> str | None:
    context = MigrationContext.configure(connection, opts={"version_table_schema": "sos_ops"})
    revision = context.get_current_revision()
    connection.commit()
    return revision
