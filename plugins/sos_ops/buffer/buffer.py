"""The buffer: batches of polls on disk until the database has them, and the catalogue for minutes without database.

Under `SOS_HOME/buffer`: one file a batch, `20260301T0010-quick-1f3a....poll`, so that names sort by minute and a batch
stored once is gone; `set-aside/` for files that cannot be stored, kept for a person; `catalogue`, what the last good
minute knew; `lock`, held by the process that drains.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sos_ops.buffer.documents import batch_document, batch_of, catalogue_document, catalogue_of
from sos_ops.buffer.files import (
    UNFINISHED,
    DamagedFileError,
    pack,
    sync_folder,
    unpack,
    write_durably,
)
from sos_ops.errors import SosOpsError
from sos_ops.settings import Settings
from sos_ops.store.polling import PollBatch, PollingCatalogue

_ENDING = ".poll"
_MINUTE_FORMAT = "%Y%m%dT%H%M"
_ABANDONED_AFTER_S = 600.0
_MEGABYTE = 1_000_000


class BufferRefusalError(SosOpsError):
    """The buffer cannot keep what was read: it is full, or its folder cannot be written."""


@dataclass(frozen=True)
class BufferState:
    """What the buffer holds now.

    Attributes:
        minutes: how many minutes have a batch that waits for the database.
        files: batches that wait.
        oldest: the oldest of those minutes.
        set_aside: files that could not be stored and need a person.
        set_aside_folder: where they are.
        size: bytes of all of them.
        limit: bytes that fit.
    """

    minutes: int
    files: int
    oldest: datetime | None
    set_aside: int
    set_aside_folder: str
    size: int
    limit: int


class Buffer:
    """The buffer of one `SOS_HOME`.

    Args:
        folder: where; made when something is kept.
        limit: bytes that all its files together may take.
    """

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder = folder
        self._limit = limit

    @classmethod
    def of(cls, settings: Settings) -> Buffer:
        """The buffer of these settings."""
        return cls(settings.home / "buffer", settings.buffer_mb * _MEGABYTE)

    @property
    def set_aside_folder(self) -> Path:
        """Where files are that could not be stored."""
        return self.folder / "set-aside"

    @property
    def _catalogue(self) -> Path:
        return self.folder / "catalogue"

    def keep(self, batch: PollBatch, lane: str) -> Path:
        """Keeps a batch: when this returns, it outlives the process and a power cut.

        Raises:
            BufferRefusalError: it does not fit, or cannot be written; what is there stays as it is.
        """
        content = pack(batch_document(batch))
        try:
            self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
            held = self._size()
            if held + len(content) > self._limit:
                raise BufferRefusalError(
                    f"the buffer {self.folder} is full ({held / _MEGABYTE:.1f} of {self._limit / _MEGABYTE:.0f} MB): "
                    "bring the database back, raise SOS_BUFFER_MB, or look into its folder set-aside"
                )
            name = (
                f"{batch.minute.astimezone(UTC).strftime(_MINUTE_FORMAT)}-{lane}-{uuid.uuid4().hex}{_ENDING}"
            )
            write_durably(self.folder / name, content)
        except OSError as error:
            raise BufferRefusalError(
                f"the buffer {self.folder} cannot be written ({error.strerror or error}): make room, or mend its rights"
            ) from error
        return self.folder / name

    def load(self, path: Path) -> PollBatch:
        """A kept batch.

        Raises:
            DamagedFileError: it is torn or altered.
            OSError: it cannot be read, or is gone.
        """
        content = path.read_bytes()
        try:
            return batch_of(unpack(content))
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedFileError(f"it holds no batch ({type(error).__name__}: {error})") from error

    def remove(self, path: Path) -> None:
        """Takes away a batch that the database has. That another process did so first is no error."""
        with suppress(FileNotFoundError):
            path.unlink()
        with suppress(OSError):
            sync_folder(self.folder)

    def set_aside(self, path: Path) -> Path:
        """Puts a file out of the way, for a person to look at: it blocks no other, and is never deleted."""
        self.set_aside_folder.mkdir(mode=0o700, exist_ok=True)
        there = self.set_aside_folder / path.name
        with suppress(FileNotFoundError):
            path.rename(there)
            sync_folder(self.set_aside_folder)
            sync_folder(self.folder)
        return there

    def waiting(self) -> list[Path]:
        """Files of batches that wait for the database, the oldest minute first."""
        try:
            return sorted(path for path in self.folder.iterdir() if path.suffix == _ENDING)
        except FileNotFoundError:
            return []

    def devices_waiting(self, minute: datetime) -> set[int]:
        """Ids of devices whose outcome of this minute waits in the buffer."""
        prefix = minute.astimezone(UTC).strftime(_MINUTE_FORMAT)
        found: set[int] = set()
        for path in self.waiting():
            if path.name.startswith(prefix):
                with suppress(DamagedFileError, OSError):
                    found |= {poll.device_id for poll in self.load(path).polls}
        return found

    def state(self) -> BufferState:
        """What it holds now."""
        files = self.waiting()
        minutes = sorted({path.name.partition("-")[0] for path in files})
        aside = list(self.set_aside_folder.iterdir()) if self.set_aside_folder.is_dir() else []
        oldest = datetime.strptime(minutes[0], _MINUTE_FORMAT).replace(tzinfo=UTC) if minutes else None
        return BufferState(
            minutes=len(minutes),
            files=len(files),
            oldest=oldest,
            set_aside=len(aside),
            set_aside_folder=str(self.set_aside_folder),
            size=self._size(),
            limit=self._limit,
        )

    @contextmanager
    def draining(self) -> Iterator[bool]:
        """Gives True to the one process that may drain now, False to any other."""
        if not self.folder.is_dir():
            yield False
            return
        descriptor = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            self._remove_unfinished()
            yield True
        finally:
            os.close(descriptor)

    def save_catalogue(self, catalogue: PollingCatalogue) -> None:
        """Keeps what is known now, for minutes in which the database is away.

        Raises:
            OSError: it could not; the one kept before still stands.
        """
        self.folder.mkdir(parents=True, mode=0o700, exist_ok=True)
        write_durably(self._catalogue, pack(catalogue_document(catalogue)))

    def load_catalogue(self) -> PollingCatalogue:
        """What the last good minute knew.

        Raises:
            SosOpsError: there is none, or it is damaged: says so.
        """
        try:
            return catalogue_of(unpack(self._catalogue.read_bytes()))
        except FileNotFoundError as error:
            raise SosOpsError(
                f"no minute was polled with the database yet ({self._catalogue} is missing)"
            ) from error
        except (OSError, KeyError, TypeError, ValueError, SosOpsError) as error:
            raise SosOpsError(f"{self._catalogue} cannot be used: {error}") from error

    def _size(self) -> int:
        total = 0
        for folder in (self.folder, self.set_aside_folder):
            with suppress(FileNotFoundError), os.scandir(folder) as entries:
                for entry in entries:
                    with suppress(FileNotFoundError):
                        total += entry.stat().st_size if entry.is_file() else 0
        return total

    def _remove_unfinished(self) -> None:
        """Removes what a process that was killed while it wrote has left: it never said that it had kept it."""
        for path in self.folder.glob(f"{UNFINISHED}*"):
            with suppress(FileNotFoundError):
                if time.time() - path.stat().st_mtime > _ABANDONED_AFTER_S:
                    path.unlink()
