"""Storing what waits in the buffer: oldest first, one transaction a file, the file removed only after the commit.

Killed at any step, it is done again: a poll already stored stays as it is, so that a commit whose answer was lost does
no harm.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from sos_ops.buffer.buffer import Buffer
from sos_ops.buffer.files import DamagedFileError
from sos_ops.errors import DatabaseUnavailableError, SosOpsError
from sos_ops.store.connection import Connect
from sos_ops.store.polling import ForeignBatchError, check_devices, store_batch


@dataclass(frozen=True)
class Drained:
    """What draining came to.

    Attributes:
        files: batches that the database has now.
        readings: readings stored with them.
        problems: a line for each file that was set aside, and for what stopped the draining.
    """

    files: int = 0
    readings: int = 0
    problems: tuple[str, ...] = ()


def drain(connect: Connect, buffer: Buffer, go_on: Callable[[], bool] = lambda: True) -> Drained:
    """Stores what waits, while `go_on()` says so. One process drains at a time, others find nothing to do.

    Raises:
        DatabaseUnavailableError: the database went away; what is not stored waits on.
    """
    files = readings = 0
    problems: list[str] = []
    with buffer.draining() as may:
        for path in buffer.waiting() if may else ():
            if not go_on():
                break
            try:
                readings += _store(connect, buffer, path)
            except FileNotFoundError:
                continue  # stored by the process that had read it
            except (DamagedFileError, ForeignBatchError) as error:
                problems.append(f"{buffer.set_aside(path).name} set aside: {error}")
            except DatabaseUnavailableError:
                raise
            except (psycopg.Error, OSError, SosOpsError) as error:
                if _is_refusal(error):
                    problems.append(
                        f"{buffer.set_aside(path).name} set aside, the database refuses it: {error}"
                    )
                    continue
                problems.append(f"the buffer waits on: {type(error).__name__}: {error}")
                break
            else:
                files += 1
    return Drained(files, readings, tuple(problems))


def _store(connect: Connect, buffer: Buffer, path: Path) -> int:
    batch = buffer.load(path)
    with connect() as connection:
        check_devices(connection, batch)
        readings = store_batch(connection, batch)
    buffer.remove(path)
    return readings


def _is_refusal(error: Exception) -> bool:
    """True when the database will never take these rows; a lock, a full disk or a missing table may pass."""
    return isinstance(error.__cause__, psycopg.IntegrityError | psycopg.DataError)
