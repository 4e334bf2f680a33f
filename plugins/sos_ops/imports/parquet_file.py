"""Parquet files: slices of row groups as tables of the mapped columns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sos_ops.errors import SosOpsError
from sos_ops.imports.chunk import Chunk, Refusals, StoredChunk
from sos_ops.imports.mapping import ImportMapping

_HASHED_AT_ONCE = 1 << 20
_BYTES_A_CELL = 16


class ParquetFile:
    """A Parquet file that is being read. Positions are its rows, from 0; its lines are its rows, from 1."""

    def __init__(self, path: Path, mapping: ImportMapping, chunk_bytes: int) -> None:
        """Opens the file and reads its schema.

        Raises:
            SosOpsError: it cannot be read, or its columns do not fit the mapping.
        """
        self._path = path
        try:
            self.size = path.stat().st_size
            # Without buffering ahead: a row group may be as large as the file.
            self._file = pq.ParquetFile(path, pre_buffer=False, buffer_size=1 << 20)
        except OSError as error:
            raise SosOpsError(f"{path}: cannot be read: {error.strerror or _one_line(error)}") from error
        except pa.ArrowException as error:
            raise SosOpsError(f"{path}: is no Parquet file, or a damaged one: {_one_line(error)}") from error
        self._names = _names(path, self._file.schema_arrow.names, mapping)
        self._rows = max(1, chunk_bytes // (_BYTES_A_CELL * len(self._names)))
        self.not_imported = [name for name in self._file.schema_arrow.names if name not in self._names]
        self._begin = 0
        self._next_number = 0
        self._digest: str | None = None

    def close(self) -> None:
        """Closes the file."""
        self._file.close()

    def digest(self) -> str:
        """SHA-256 of the whole file: its rows cannot be hashed on the way, they are not read in its order."""
        if self._digest is None:
            digest = hashlib.sha256()
            with self._path.open("rb") as file:
                while data := file.read(_HASHED_AT_ONCE):
                    digest.update(data)
            self._digest = digest.hexdigest()
        return self._digest

    def read_to_the_end(self) -> None:
        """Nothing is needed for `digest`."""

    def skip(self, stored: Sequence[StoredChunk], lanes: int) -> list[Chunk] | None:
        """Passes over what an earlier run stored; gives the chunks that not every lane has stored."""
        if stored and stored[-1].digest != self.digest():
            return None
        again = []
        for chunk in stored:
            if len(chunk.done) < lanes:
                (table,) = self._slices(chunk.begin, chunk.end, chunk.end - chunk.begin)
                again.append(self._chunk(chunk.number, chunk.begin, table, chunk.done))
            self._begin, self._next_number = chunk.end, chunk.number + 1
        return again

    def chunks(self) -> Iterator[Chunk]:
        """What is left of the file."""
        begin = self._begin
        for table in self._slices(begin, self._file.metadata.num_rows, self._rows):
            chunk = self._chunk(self._next_number, begin, table, frozenset())
            self._next_number += 1
            begin += table.num_rows
            yield chunk

    def _chunk(self, number: int, begin: int, table: pa.Table, done: frozenset[int]) -> Chunk:
        rows = table.num_rows
        lines = np.arange(begin + 1, begin + rows + 1, dtype=np.int64)
        total = max(1, self._file.metadata.num_rows)
        position = self.size * (begin + rows) // total
        return Chunk(
            number,
            begin,
            begin + rows,
            begin + 1,
            rows,
            self.digest(),
            table,
            lines,
            Refusals(),
            position,
            done,
        )

    def _slices(self, begin: int, end: int, most: int) -> Iterator[pa.Table]:
        """The rows from `begin` to `end`, in slices that end at every row group and every `most` rows."""
        at = 0
        for group in range(self._file.metadata.num_row_groups):
            rows = self._file.metadata.row_group(group).num_rows
            if at + rows > begin and at < end:
                yield from self._slices_of(group, at, begin, end, most)
            at += rows

    def _slices_of(self, group: int, at: int, begin: int, end: int, most: int) -> Iterator[pa.Table]:
        kept: list[pa.RecordBatch] = []
        held = 0
        for batch in self._batches(group, most):
            first, at = at, at + batch.num_rows
            part = batch.slice(max(0, begin - first), max(0, min(end, at) - max(first, begin)))
            while part.num_rows:
                kept.append(part.slice(0, most - held))
                held += kept[-1].num_rows
                part = part.slice(kept[-1].num_rows)
                if held == most:
                    yield pa.Table.from_batches(kept).combine_chunks()
                    kept, held = [], 0
        if held:
            yield pa.Table.from_batches(kept).combine_chunks()

    def _batches(self, group: int, rows: int) -> Iterator[pa.RecordBatch]:
        try:
            yield from self._file.iter_batches(
                batch_size=rows, row_groups=[group], columns=list(self._names), use_threads=False
            )
        except (pa.ArrowException, OSError) as error:
            raise SosOpsError(
                f"{self._path}: row group {group} cannot be read: {_one_line(error)}"
            ) from error


def _names(path: Path, there: Sequence[str], mapping: ImportMapping) -> tuple[str, ...]:
    for name in mapping.column_names:
        if there.count(name) != 1:
            shown = ", ".join(repr(column) for column in there[:12]) + (", ..." if len(there) > 12 else "")
            what = f"no column {name!r}" if name not in there else f"column {name!r} stands more than once"
            raise SosOpsError(f"{path}: {what}; it has {shown}")
    return mapping.column_names


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
