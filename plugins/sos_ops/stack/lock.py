"""One `sos-ops up` per `SOS_HOME`: the lock it holds while it lives, by which others find it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sos_ops.errors import SosOpsError
from sos_ops.settings import Settings
from sos_ops.stack.layout import layout


def _path(settings: Settings) -> Path:
    return layout(settings).run / "up.lock"


@contextmanager
def stack_lock(settings: Settings) -> Iterator[None]:
    """Holds the lock for this process; the system frees it when the process ends, however it ends.

    Raises:
        SosOpsError: another `sos-ops up` holds it.
    """
    with _path(settings).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SosOpsError(
                f"The platform is already running here (process {holder(settings)}): use it, end it with "
                "`sos-ops down`, or set SOS_HOME and the SOS_*_PORT variables to run a second one"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def holder(settings: Settings) -> int | None:
    """The process that runs this stack; None when none does."""
    try:
        with _path(settings).open("r+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().strip()
                return int(text) if text.isdigit() else None
            return None
    except FileNotFoundError:
        return None
