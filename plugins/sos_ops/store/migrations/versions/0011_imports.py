"""See `include/sql/migrations/0011_imports.sql`."""

from __future__ import annotations

from sos_ops.store.migrations import run_sql_file

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Applies the migration."""
    run_sql_file("0011_imports")


def downgrade() -> None:
    """Refused: history is never migrated backwards; restore a backup instead."""
    raise RuntimeError("sos_ops migrations only go forward: restore a backup instead")
