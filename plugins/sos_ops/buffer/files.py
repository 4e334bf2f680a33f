"""Files that are whole or damaged, never half true: written beside and renamed, synced, with a checksum.

A file is one line of header (JSON: format, SHA-256 and length of what follows) and a gzip-compressed JSON document.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import uuid
from pathlib import Path
from typing import Any

from sos_ops.errors import SosOpsError

FORMAT = 1
UNFINISHED = ".tmp-"
"""What the name of a file begins with until it is whole."""


class DamagedFileError(SosOpsError):
    """A file is torn, altered, or of a format that this version does not know."""


def pack(document: Any) -> bytes:
    """The bytes of a file that holds this JSON document."""
    body = gzip.compress(json.dumps(document, separators=(",", ":")).encode(), compresslevel=1, mtime=0)
    header = {"format": FORMAT, "sha256": hashlib.sha256(body).hexdigest(), "bytes": len(body)}
    return json.dumps(header).encode() + b"\n" + body


def unpack(content: bytes) -> Any:
    """The document of a file.

    Raises:
        DamagedFileError: says what is wrong with it.
    """
    head, newline, body = content.partition(b"\n")
    try:
        header = json.loads(head)
        expected = (header["format"], header["bytes"], header["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        raise DamagedFileError("its header is damaged") from error
    if not newline or len(body) != expected[1]:
        raise DamagedFileError(f"it is torn: {len(body)} of {expected[1]} bytes")
    if hashlib.sha256(body).hexdigest() != expected[2]:
        raise DamagedFileError("its checksum does not agree")
    if expected[0] != FORMAT:
        raise DamagedFileError(f"its format is {expected[0]}, this version knows {FORMAT}")
    try:
        return json.loads(gzip.decompress(body))
    except (ValueError, OSError, EOFError) as error:
        raise DamagedFileError(f"it cannot be read: {error}") from error


def write_durably(path: Path, content: bytes) -> None:
    """Makes the file, or takes the place of the one there: when this returns, it outlives a power cut.

    Raises:
        OSError: it could not; what stood there still stands.
    """
    beside = path.with_name(f"{UNFINISHED}{uuid.uuid4().hex}")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.rename(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Makes what was renamed or removed in a folder outlive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
