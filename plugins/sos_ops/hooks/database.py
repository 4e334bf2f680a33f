"""How tasks reach the platform's database: Airflow's own PostgresHook, on connection `sos_postgres`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import psycopg

from sos_ops.errors import DatabaseUnavailableError
from sos_ops.store.connection import CONNECT_TIMEOUT_S, Connection, one_line, refusals_as_errors

CONNECTION_ID = "sos_postgres"

PATIENCE = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    # A server that vanished without a word is noticed within 10 s, not after a quarter of an hour: what was read is
    # still to be kept on disk within the minute.
    "tcp_user_timeout": 10_000,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
}
"""libpq's parameters, each used where the connection's extra does not say otherwise."""


@contextmanager
def task_connection(connection_id: str = CONNECTION_ID) -> Iterator[Connection]:
    """One transaction on a new connection: committed when the block ends, rolled back when it raises.

    Raises:
        DatabaseUnavailableError: the server does not answer, or went away.
        SosOpsError: the database refused what was asked, with its reason.
    """
    try:
        connection = _open(connection_id)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailableError(
            f"PostgreSQL does not answer ({one_line(error)}): see connection {connection_id}, or start the server"
        ) from error
    try:
        with connection, refusals_as_errors():
            connection.execute("set timezone to 'UTC'")
            connection.execute("set application_name to 'sos-ops task'")
            yield connection
    except psycopg.OperationalError as error:
        raise DatabaseUnavailableError(f"PostgreSQL went away: {one_line(error)}") from error


def _open(connection_id: str) -> Connection:
    from airflow.providers.postgres.hooks.postgres import PostgresHook
    from airflow.sdk import BaseHook
    from airflow.sdk import Connection as AirflowConnection

    known = BaseHook.get_connection(connection_id)
    patient = AirflowConnection(
        conn_id=known.conn_id,
        conn_type=known.conn_type,
        host=known.host,
        port=known.port,
        schema=known.schema,
        login=known.login,
        password=known.password,
        extra=json.dumps({**PATIENCE, **known.extra_dejson}),
    )
    return cast(Connection, PostgresHook(postgres_conn_id=connection_id, connection=patient).get_conn())
