"""See `include/sql/migrations/0008_modbus.sql`."""

from __future__ import annotations

from sos_ops.store.migrations import run_sql_file

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the migration."""
    run_sql_file("0008_modbus")


def downgrade() -> None:
    """Refused: history is never migrated backwards; restore a backup instead."""
    raise RuntimeError("sos_ops migrations only go forward: restore a backup instead")
