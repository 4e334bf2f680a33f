"""Old logs of Airflow are removed, newer ones and what is not empty stay."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sos_ops.stack.pruning import remove_old_files


def test_old_log_files_and_their_empty_folders_are_removed(tmp_path: Path) -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    old, new = tmp_path / "run_1" / "attempt=1.log", tmp_path / "run_2" / "attempt=1.log"
    for path, days in ((old, 20), (new, 1)):
        path.parent.mkdir()
        path.write_text("a line")
        stamp = (now - timedelta(days=days)).timestamp()
        os.utime(path, (stamp, stamp))
    assert remove_old_files(tmp_path, now - timedelta(days=14)) == 1
    assert not old.parent.exists()
    assert new.exists()


def test_a_folder_that_does_not_exist_is_no_error(tmp_path: Path) -> None:
    assert remove_old_files(tmp_path / "nowhere", datetime.now(UTC)) == 0
