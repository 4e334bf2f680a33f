"""See `include/sql/migrations/0009_validation.sql`."""

from __future__ import annotations

from sos_ops.store.migrations import run_sql_file

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the migration."""
    run_sql_file("0009_validation")


def downgrade() -> None:
    """Refused: history is never migrated backwards; restore a backup instead."""
    raise RuntimeError("sos_ops migrations only go forward: restore a backup instead")
