"""How tasks reach the platform's database: Airflow's own PostgresHook, on connection `sos_postgres`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from sos_ops.store.connection import Connection, refusals_as_errors

CONNECTION_ID = "sos_postgres"


@contextmanager
def task_connection(connection_id: str = CONNECTION_ID) -> Iterator[Connection]:
    """One transaction on a new connection: committed when the block ends, rolled back when it raises."""
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    connection = cast(Connection, PostgresHook(postgres_conn_id=connection_id).get_conn())
    with connection, refusals_as_errors():
        connection.execute("set timezone to 'UTC'")
        connection.execute("set application_name to 'sos-ops task'")
        yield connection
