"""The databases `sos` and `airflow`, created on the embedded server or on one's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from sos_ops.errors import DatabaseUnavailableError, SosOpsError
from sos_ops.settings import Settings
from sos_ops.stack.embedded_postgres import superuser_url
from sos_ops.stack.secrets import AIRFLOW_DATABASE, AIRFLOW_URL_VARIABLE, database_url, load_or_create
from sos_ops.store.connection import one_line

Connection = psycopg.Connection[tuple[object, ...]]


def ensure_embedded_databases(settings: Settings) -> None:
    """Creates the databases and the role `airflow` on the embedded server, and keeps partners out of others.

    Raises:
        DatabaseUnavailableError: the server does not answer.
    """
    secrets = load_or_create(settings)
    with _connected(superuser_url(settings)) as connection:
        if not _found(connection, "select from pg_roles where rolname = %s", "airflow"):
            connection.execute("create role airflow login")
        connection.execute(
            sql.SQL("alter role airflow password {}").format(sql.Literal(secrets.airflow_database_password))
        )
        _create_database(connection, "sos", "sos")
        _create_database(connection, AIRFLOW_DATABASE, "airflow")
        # Partners get roles on this server; their business is in `sos` alone.
        connection.execute("revoke all on database airflow, postgres, template1 from public")


def ensure_airflow_database(settings: Settings) -> None:
    """Creates the database `airflow` on one's own server, if the role may.

    Raises:
        DatabaseUnavailableError: the server does not answer.
        SosOpsError: the database is missing and the role may not create it, or may not create tables in it.
    """
    url = database_url(settings)
    with _connected(url) as connection:
        role = connection.info.user
        try:
            _create_database(connection, AIRFLOW_DATABASE, role)
        except psycopg.errors.InsufficientPrivilege as error:
            raise SosOpsError(
                f"The role {role} may not create Airflow's database: run "
                f"`create database airflow owner {role}` as that server's administrator, "
                f"or set {AIRFLOW_URL_VARIABLE}"
            ) from error
        # As above; where the database is another's, the server only warns.
        connection.execute("revoke all on database airflow from public")
        usable = _found(connection, "select where has_database_privilege(%s, 'airflow', 'connect')", role)
    if not usable or not _may_create_tables(url, role):
        raise SosOpsError(
            f"The role {role} may not use Airflow's database: run `alter database airflow owner to {role}` "
            f"as that server's administrator, or set {AIRFLOW_URL_VARIABLE}"
        )


def _may_create_tables(url: str, role: str) -> bool:
    with _connected(urlsplit(url)._replace(path=f"/{AIRFLOW_DATABASE}").geturl()) as connection:
        return _found(connection, "select where has_schema_privilege(%s, 'public', 'create')", role)


def _create_database(connection: Connection, name: str, owner: str) -> None:
    if _found(connection, "select from pg_database where datname = %s", name):
        return
    create = sql.SQL("create database {} owner {} encoding 'UTF8' template template0")
    try:
        connection.execute(create.format(sql.Identifier(name), sql.Identifier(owner)))
    except psycopg.errors.DuplicateDatabase:
        return  # another start was faster


def _found(connection: Connection, query: LiteralString, name: str) -> bool:
    return connection.execute(query, (name,)).fetchone() is not None


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    try:
        connection = psycopg.connect(url, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailableError(
            f"PostgreSQL does not answer ({one_line(error)}): start it, or mend SOS_DATABASE_URL"
        ) from error
    try:
        yield connection
    finally:
        connection.close()
