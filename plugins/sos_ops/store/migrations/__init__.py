"""Alembic migrations. Each runs the SQL file of its own name in `include/sql/migrations/`."""

from __future__ import annotations

from alembic import op

from sos_ops.store import sql


def run_sql_file(name: str) -> None:
    """Runs `include/sql/migrations/<name>.sql` as it stands (several statements, no parameters)."""
    driver_connection = op.get_bind().connection.driver_connection
    assert driver_connection is not None  # noqa: S101  # a bound connection always has one
    driver_connection.execute(sql.load(f"migrations/{name}"))
