"""The operating system's processes: which belong to this stack, and how they are ended.

Every program of the stack (but PostgreSQL, which its `postmaster.pid` names) carries its `SOS_HOME` in its
environment, and so does all that it starts, whatever becomes of its parent. That is how processes are found
again whose supervisor was killed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from signal import SIGINT, SIGKILL, SIGQUIT, SIGTERM, Signals

import psutil

from sos_ops.settings import Settings
from sos_ops.stack.layout import layout

HOME_MARK = "SOS_STACK_HOME"
PROGRAM_MARK = "SOS_STACK_PROGRAM"

_GONE = (psutil.Error, OSError)


def marks(settings: Settings, program: str | None = None) -> dict[str, str]:
    """What the environment of every process of the stack (or of one program of it) holds."""
    home = {HOME_MARK: str(settings.home)}
    return home if program is None else {**home, PROGRAM_MARK: program}


def stack_pids(settings: Settings, program: str | None = None) -> list[int]:
    """The living processes of this stack (or of one program), but this one and its ancestors."""
    wanted = marks(settings, program).items()
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [
        process.pid
        for process in psutil.process_iter()
        if process.pid not in mine and wanted <= _environment(process).items()
    ]


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        return dict(process.environ())
    except _GONE:
        return {}


def postgres_pid(data: Path) -> int | None:
    """The server process of the cluster in this folder, whoever started it; None when there is none."""
    pid = locked_by(data)
    if pid is None:
        return None
    try:
        process = psutil.Process(pid)
        alive = process.status() != psutil.STATUS_ZOMBIE and process.name().startswith("postgres")
    except _GONE:
        return None
    return pid if alive else None


def locked_by(data: Path) -> int | None:
    """The process that the cluster's `postmaster.pid` names, dead or alive."""
    try:
        return abs(int((data / "postmaster.pid").read_text().splitlines()[0]))
    except (OSError, ValueError, IndexError):
        return None


def is_alive(pid: int) -> bool:
    """True while the process exists and is no zombie."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except _GONE:
        return False


def end(pids: Iterable[int], grace_s: float, *, first: Signals = SIGTERM, last: Signals = SIGKILL) -> None:
    """Asks the processes to end and, after the grace, makes them."""
    remaining = _signal(pids, first)
    deadline = time.monotonic() + grace_s
    while remaining and time.monotonic() < deadline:
        time.sleep(0.05)
        remaining = [pid for pid in remaining if is_alive(pid)]
    remaining = _signal(remaining, last)
    while remaining and time.monotonic() < deadline + 10:
        time.sleep(0.05)
        remaining = [pid for pid in remaining if is_alive(pid)]


def _signal(pids: Iterable[int], number: Signals) -> list[int]:
    reached = []
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
        reached.append(pid)
    return reached


def end_leftovers(settings: Settings) -> int:
    """Ends what an earlier start left running, PostgreSQL last.

    Returns:
        How many processes were found.
    """
    found = 0
    for _round in range(5):  # what is being ended may be starting another
        pids = stack_pids(settings)
        if not pids:
            break
        found += len(pids)
        end(pids, grace_s=5)
    postgres = postgres_pid(layout(settings).postgres)
    if postgres is not None:
        # A fast shutdown, then an immediate one: either way the next start finds every committed transaction.
        end([postgres], grace_s=30, first=SIGINT, last=SIGQUIT)
    return found + (postgres is not None)
