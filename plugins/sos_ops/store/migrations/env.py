"""Alembic's entry: runs the migrations on the connection that `sos_ops.store.migrate` opened."""

from __future__ import annotations

from alembic import context

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=None,
    version_table="alembic_version",
    version_table_schema="sos_ops",
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
