"""The text of a CSV file, in blocks of whole lines, with a hash of all that went before."""

from __future__ import annotations

import codecs
import gzip
import hashlib
import io
import zlib
from pathlib import Path
from typing import IO, cast

from sos_ops.errors import SosOpsError

LONGEST_LINE = 1 << 20
"""Bytes. A longer line is no row of a table: the file is something else."""

_READ = 1 << 20


class Content:
    """A CSV file, plain or gzipped, as a stream of bytes that is read once, from the beginning.

    UTF-16 is read as UTF-8, so that lines end at a byte; other encodings stay as they are. Positions are bytes of this
    stream: of the unpacked text, not of the file.
    """

    def __init__(self, path: Path, encoding: str) -> None:
        """Opens the file.

        Raises:
            SosOpsError: it cannot be read, or is no text.
        """
        self._path = path
        try:
            self._file: IO[bytes] = path.open("rb")
        except OSError as error:
            raise SosOpsError(f"{path}: cannot be read: {error.strerror}") from error
        self._source: IO[bytes] = self._file
        if path.suffix == ".gz":
            self._source = cast(IO[bytes], gzip.GzipFile(fileobj=self._file))
        self._decoder = (
            codecs.getincrementaldecoder("utf-16")(errors="replace") if encoding == "utf-16" else None
        )
        self._ahead = b""
        self._ended = False
        self._hash = hashlib.sha256()
        self.position = 0
        try:
            self._check_beginning(encoding)
        except BaseException:
            self.close()
            raise

    def _check_beginning(self, encoding: str) -> None:
        self._fill(4096)
        start = self._ahead
        if encoding != "utf-16" and start[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            raise SosOpsError(
                f"{self._path}: is UTF-16 text: say `file: {{encoding: utf-16}}` in the mapping"
            )
        if b"\0" in start:
            raise SosOpsError(
                f"{self._path}: is no text file: export it as CSV, or name it .parquet if it is one"
            )
        if start.startswith(codecs.BOM_UTF8):
            self.read_exactly(len(codecs.BOM_UTF8))

    def close(self) -> None:
        """Closes the file."""
        self._source.close()
        self._file.close()

    @property
    def file_position(self) -> int:
        """How many bytes of the file itself were read."""
        return self._file.tell()

    def digest(self) -> str:
        """SHA-256 of everything up to `position`, in hexadecimal."""
        return self._hash.copy().hexdigest()

    def read_exactly(self, size: int) -> bytes:
        """The next `size` bytes, or less at the end."""
        self._fill(size)
        return self._take(min(size, len(self._ahead)))

    def read_line(self) -> bytes:
        """The next line without its end; empty at the end of the file."""
        self._fill(LONGEST_LINE)
        ends = [end for end in (self._ahead.find(b"\n"), self._ahead.find(b"\r")) if end >= 0]
        if not ends:
            return self._take(len(self._ahead))
        end = min(ends)
        line = self._take(end + (2 if self._ahead[end : end + 2] == b"\r\n" else 1))
        return line.rstrip(b"\r\n")

    def next_block(self, size: int) -> bytes:
        """The next whole lines, about `size` bytes of them; empty at the end of the file.

        Raises:
            SosOpsError: a line is longer than `LONGEST_LINE`, or the file cannot be read any further.
        """
        wanted = size
        while True:
            self._fill(wanted)
            if len(self._ahead) < wanted:
                return self._take(len(self._ahead))
            # A \r at the very end may be the first half of a line's end.
            end = max(self._ahead.rfind(b"\n", 0, wanted), self._ahead.rfind(b"\r", 0, wanted - 1))
            if end >= 0:
                return self._take(end + 1)
            if wanted >= LONGEST_LINE + size:
                raise SosOpsError(
                    f"{self._path}: a line after byte {self.position} is longer than {LONGEST_LINE} bytes: is it a CSV?"
                )
            wanted *= 2

    def _take(self, size: int) -> bytes:
        taken, self._ahead = self._ahead[:size], self._ahead[size:]
        self._hash.update(taken)
        self.position += len(taken)
        return taken

    def _fill(self, size: int) -> None:
        if len(self._ahead) >= size or self._ended:
            return
        parts = io.BytesIO()
        parts.write(self._ahead)
        while parts.tell() < size and not self._ended:
            parts.write(self._read())
        self._ahead = parts.getvalue()

    def _read(self) -> bytes:
        try:
            data = self._source.read(_READ)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise SosOpsError(
                f"{self._path}: the packed file is cut off or damaged after {self.position} bytes of text: get it again"
            ) from error
        except OSError as error:
            raise SosOpsError(
                f"{self._path}: cannot be read any further: {error.strerror or error}"
            ) from error
        self._ended = not data
        if self._decoder is None:
            return data
        return self._decoder.decode(data, final=self._ended).encode("utf-8", errors="replace")
