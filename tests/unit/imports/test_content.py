from __future__ import annotations

import gzip
import hashlib
from pathlib import Path

import pytest

from sos_ops.errors import SosOpsError
from sos_ops.imports.content import Content

TEXT = b"".join(b"line %d,%s\r\n" % (n, b"x" * (n % 50)) for n in range(500))


@pytest.mark.parametrize("size", [1, 7, 64, 1000, 1 << 20])
@pytest.mark.parametrize("packed", [False, True])
def test_blocks_are_whole_lines_and_together_the_whole_text(tmp_path: Path, size: int, packed: bool) -> None:
    path = tmp_path / ("data.csv.gz" if packed else "data.csv")
    path.write_bytes(gzip.compress(TEXT) if packed else TEXT)
    content = Content(path, "utf-8")
    blocks = []
    while block := content.next_block(size):
        assert block.endswith(b"\r\n")
        blocks.append(block)
    assert b"".join(blocks) == TEXT
    assert content.digest() == hashlib.sha256(TEXT).hexdigest()
    content.close()


def test_the_digest_is_of_what_was_handed_out_not_of_what_was_read_ahead(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(TEXT)
    content = Content(path, "utf-8")
    block = content.next_block(100)
    assert content.digest() == hashlib.sha256(block).hexdigest()
    assert content.position == len(block)
    content.close()


def test_a_line_without_end_is_no_csv(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_bytes(b"a" * 3_000_000)
    content = Content(path, "utf-8")
    with pytest.raises(SosOpsError, match="is longer than"):
        content.next_block(100)
    content.close()
