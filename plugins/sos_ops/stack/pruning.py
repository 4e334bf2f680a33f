"""Removes Airflow's own old records and logs: a run a minute leaves some 50 MB and 13,000 files a day.

Only Airflow's bookkeeping goes. What the platform decided stays in its own database.
"""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sos_ops.settings import Settings
from sos_ops.stack.layout import layout
from sos_ops.stack.programs import program_environment

KEPT = timedelta(days=14)
PRUNE_EVERY = timedelta(days=1)
DEADLINE_S = 1800

log = logging.getLogger(__name__)


def prune_airflow(settings: Settings, now: datetime) -> bool:
    """Removes run records and task logs older than two weeks.

    Args:
        settings: the stack.
        now: the machine's time, UTC: Airflow dates its records by it, whatever the platform's clock says.

    Returns:
        False when Airflow's command failed; it is tried again with the next round.
    """
    before = now - KEPT
    command = [sys.executable, "-m", "airflow", "db", "clean", "--skip-archive", "--yes"]
    done = subprocess.run(  # noqa: S603  # our own interpreter, no outside input
        [*command, "--clean-before-timestamp", before.isoformat()],
        env=program_environment(settings, "airflow-db-clean"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    if done.returncode:
        log.error("airflow db clean failed: %s", done.stderr.strip().splitlines()[-1:] or done.returncode)
    removed = remove_old_files(layout(settings).airflow / "logs", before)
    log.info("removed Airflow's records and %d log files from before %s", removed, before.date())
    return done.returncode == 0


def remove_old_files(folder: Path, before: datetime) -> int:
    """Removes files last written before `before`, and folders that are empty then.

    Returns:
        The number of files removed.
    """
    removed = 0
    for parent, folders, names in os.walk(folder, topdown=False):
        for path in (Path(parent, name) for name in names):
            with contextlib.suppress(OSError):
                if datetime.fromtimestamp(path.stat().st_mtime, UTC) < before:
                    path.unlink()
                    removed += 1
        for path in (Path(parent, name) for name in folders):
            with contextlib.suppress(OSError):  # not empty
                path.rmdir()
    return removed
