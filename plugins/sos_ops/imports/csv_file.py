"""CSV files: blocks of lines into tables of the mapped columns, one bad line costing only itself."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv

from sos_ops.errors import SosOpsError
from sos_ops.imports.chunk import Chunk, Lines, Reason, Refusals, StoredChunk
from sos_ops.imports.content import Content
from sos_ops.imports.mapping import ImportMapping

_UTF8 = {"utf-8", "utf-16"}
_REPLACED = "�"
_SHOWN = 200
"""Characters of a refused line that are kept."""


class CsvFile:
    """A CSV file that is being read."""

    def __init__(self, path: Path, mapping: ImportMapping, chunk_bytes: int) -> None:
        """Opens the file and reads its header.

        Raises:
            SosOpsError: it cannot be read, is empty, or its header does not fit the mapping.
        """
        self._path = path
        self._mapping = mapping
        self._chunk_bytes = chunk_bytes
        self._next_number = 0
        self._encoding = codecs.lookup(mapping.file.encoding).name
        self.size = path.stat().st_size if path.exists() else 0
        self._content = Content(path, self._encoding)
        try:
            self._header = self._read_header()
            self._positions = _positions(path, self._header, mapping)
        except BaseException:
            self.close()
            raise
        used = set(self._positions.values())
        self.not_imported = [name for at, name in enumerate(self._header) if at not in used]

    def close(self) -> None:
        """Closes the file."""
        self._content.close()

    def digest(self) -> str:
        """SHA-256 of the text read so far; of all of it after the last chunk."""
        return self._content.digest()

    def _read_header(self) -> list[str]:
        names = self._mapping.file.header
        self._first_line = 1 + self._mapping.file.skip_lines + (names is None)
        for _ in range(self._mapping.file.skip_lines):
            self._content.read_line()
        if names is not None:
            return list(names)
        start = self._content.position
        line = self._content.read_line()
        if not line:
            found = "is empty" if self._content.position == start else "begins with an empty line"
            raise SosOpsError(
                f"{self._path}: {found}: a line with the columns' names is needed (or `file.header`)"
            )
        try:
            text = line.decode("utf-8" if self._encoding == "utf-16" else self._encoding)
        except UnicodeDecodeError as error:
            raise SosOpsError(
                f"{self._path}: the header is not {self._mapping.file.encoding}: say `file: {{encoding: cp949}}` "
                "(or another) in the mapping"
            ) from error
        try:
            row = next(csv.reader([text], delimiter=self._mapping.file.delimiter, strict=True))
        except (csv.Error, StopIteration) as error:
            raise SosOpsError(
                f"{self._path}: the header cannot be read ({error}): mend its quotes"
            ) from error
        return [name.strip() for name in row]

    def skip(self, stored: Sequence[StoredChunk], lanes: int) -> list[Chunk] | None:
        """Reads over what an earlier run stored.

        Returns:
            The chunks that not every lane has stored, to be stored again; None when the text is not the one that was
            stored.
        """
        again: list[Chunk] = []
        for chunk in stored:
            if chunk.begin != self._content.position:
                return None
            data = self._content.read_exactly(chunk.end - chunk.begin)
            if len(data) != chunk.end - chunk.begin:
                return None
            if len(chunk.done) < lanes:
                again.append(self._chunk(chunk.number, chunk.begin, data, chunk.first_line, chunk.done))
            self._first_line = chunk.first_line + chunk.line_count
            self._next_number = chunk.number + 1
        return again if not stored or self.digest() == stored[-1].digest else None

    def read_to_the_end(self) -> None:
        """Reads what is left, for `digest`."""
        while self._content.read_exactly(self._chunk_bytes):
            pass

    def chunks(self) -> Iterator[Chunk]:
        """What is left of the file.

        Raises:
            SosOpsError: the file cannot be read any further.
        """
        while True:
            begin = self._content.position
            data = self._content.next_block(self._chunk_bytes)
            if not data:
                return
            chunk = self._chunk(self._next_number, begin, data, self._first_line, frozenset())
            self._next_number += 1
            self._first_line += chunk.line_count
            yield chunk

    def _chunk(self, number: int, begin: int, data: bytes, first_line: int, done: frozenset[int]) -> Chunk:
        text = _to_utf8(_unix_lines(data), self._encoding)
        count = text.count(b"\n") + (not text.endswith(b"\n"))
        lines = np.arange(first_line, first_line + count, dtype=np.int64)
        refusals = Refusals()
        text, lines = self._leave_out_undecodable(text, lines, refusals)
        table, lines = self._parse(text, lines, refusals)
        end = begin + len(data)
        digest = self._content.digest() if self._content.position == end else None
        return Chunk(
            number,
            begin,
            end,
            first_line,
            count,
            digest,
            table,
            lines,
            refusals,
            self._content.file_position,
            done,
        )

    def _leave_out_undecodable(self, text: bytes, lines: Lines, refusals: Refusals) -> tuple[bytes, Lines]:
        mark = _REPLACED.encode()
        if mark not in text:
            return text, lines
        return _leave_out(text, lines, lambda line: mark in line, Reason.ENCODING, refusals)

    def _parse(self, text: bytes, lines: Lines, refusals: Refusals) -> tuple[pa.Table, Lines]:
        table, wrong = self._table(text, typed=True)
        if table.num_rows + len(wrong) != len(lines):
            pattern = re.compile(_row_pattern(self._mapping.file.delimiter).encode())
            text, lines = _leave_out(
                text, lines, lambda line: pattern.fullmatch(line) is None, Reason.QUOTES, refusals
            )
            table, wrong = self._table(text, typed=True)
            if table.num_rows + len(wrong) != len(lines):
                raise SosOpsError(
                    f"{self._path}: lines {lines[0]} to {lines[-1]} cannot be told apart: mend their quotes"
                )
        if wrong:
            at = np.array([number - 1 for number, _ in wrong], dtype=np.int64)
            refusals.add(lines[at], "", Reason.COLUMNS, [shown for _, shown in wrong])
            lines = np.delete(lines, at)
        return table, lines

    def _table(self, text: bytes, *, typed: bool) -> tuple[pa.Table, list[tuple[int, str]]]:
        wrong: list[tuple[int, str]] = []

        def note(row: pacsv.InvalidRow) -> str:
            wrong.append((row.number, row.text[:_SHOWN]))
            return "skip"

        if not text:
            return self._empty_table(), wrong
        types = self._types() if typed else {}
        names = {str(at): name for name, at in self._positions.items()}
        try:
            table = pacsv.read_csv(
                pa.py_buffer(text),
                read_options=pacsv.ReadOptions(
                    use_threads=False,
                    block_size=len(text) + 1,
                    column_names=[str(n) for n in range(len(self._header))],
                ),
                parse_options=pacsv.ParseOptions(
                    delimiter=self._mapping.file.delimiter,
                    newlines_in_values=False,
                    ignore_empty_lines=False,
                    invalid_row_handler=note,
                ),
                convert_options=pacsv.ConvertOptions(
                    column_types={at: types.get(name, pa.string()) for at, name in names.items()},
                    include_columns=list(names),
                    null_values=list(self._mapping.missing) if typed else [],
                    strings_can_be_null=typed,
                    decimal_point=self._mapping.file.decimal,
                ),
            )
        except pa.ArrowInvalid:
            if typed:  # something in the block is no number or no time: as text each can be judged by itself
                return self._table(text, typed=False)
            raise
        return table.combine_chunks().rename_columns(list(names.values())), wrong

    def _types(self) -> dict[str, pa.DataType]:
        """What the parser may read by itself, for speed."""
        mapping = self._mapping
        words = pa.dictionary(pa.int32(), pa.string())
        types: dict[str, pa.DataType] = {}
        if mapping.long:
            types |= {mapping.long.name: words, mapping.long.value: pa.float64()}
        else:
            types |= dict.fromkeys(mapping.columns or (), pa.float64())
        if mapping.label and mapping.label.column:
            types[mapping.label.column] = words
        if mapping.time.is_unix:
            types[mapping.time.names[0]] = pa.float64()
        elif mapping.time.format == "iso" and len(mapping.time.names) == 1:
            types[mapping.time.names[0]] = pa.timestamp("us", "UTC" if mapping.time.says_offset else None)
        return types

    def _empty_table(self) -> pa.Table:
        return pa.table({name: pa.array([], pa.string()) for name in self._positions})


def _positions(path: Path, header: Sequence[str], mapping: ImportMapping) -> dict[str, int]:
    positions: dict[str, int] = {}
    for name in mapping.column_names:
        count = header.count(name)
        if count == 0:
            shown = ", ".join(repr(column) for column in header[:12]) + (", ..." if len(header) > 12 else "")
            raise SosOpsError(
                f"{path}: no column {name!r}; it has {shown}"
                " (a file without a header line needs `file.header`; another delimiter, `file.delimiter`)"
            )
        if count > 1:
            raise SosOpsError(f"{path}: column {name!r} stands {count} times in the header: rename one")
        positions[name] = header.index(name)
    return positions


def _unix_lines(data: bytes) -> bytes:
    if b"\r" not in data:
        return data
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _to_utf8(data: bytes, encoding: str) -> bytes:
    if data.isascii():
        return data
    return data.decode("utf-8" if encoding in _UTF8 else encoding, errors="replace").encode()


def _leave_out(
    text: bytes, lines: Lines, is_bad: Callable[[bytes], bool], reason: Reason, refusals: Refusals
) -> tuple[bytes, Lines]:
    """The text without its bad lines, which are refused. Line by line: only for blocks that hold some."""
    rows = text.removesuffix(b"\n").split(b"\n")
    bad = np.fromiter((is_bad(row) for row in rows), dtype=np.bool_, count=len(rows))
    shown = [
        row[:_SHOWN].decode("utf-8", errors="replace") for row, out in zip(rows, bad, strict=True) if out
    ]
    refusals.add(lines[bad], "", reason, shown)
    kept = [row for row, out in zip(rows, bad, strict=True) if not out]
    return b"".join(row + b"\n" for row in kept), lines[~bad]


def _row_pattern(delimiter: str) -> str:
    d = re.escape(delimiter)
    field = f'(?:"(?:[^"]|"")*"[^"{d}]*|[^"{d}][^{d}]*|)'
    return f"{field}(?:{d}{field})*"
