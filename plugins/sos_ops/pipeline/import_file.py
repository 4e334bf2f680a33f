"""Importing a data set: a file, by its mapping, chunk by chunk; interrupted anywhere, it goes on where it was."""

from __future__ import annotations

import os
import queue
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from sos_ops.errors import InvalidConfigurationError, SosOpsError, UnknownNameError
from sos_ops.imports.chunk import Chunk, Refusals
from sos_ops.imports.csv_file import CsvFile
from sos_ops.imports.mapping import ImportMapping, Kind
from sos_ops.imports.parquet_file import ParquetFile
from sos_ops.imports.report import RefusedReason, Report
from sos_ops.imports.rows import Converted, Converter, Target
from sos_ops.pipeline.import_lane import LANES, Lane, Owner
from sos_ops.pipeline.import_not_kept import take_not_kept
from sos_ops.store import imports as store
from sos_ops.store.clock import now
from sos_ops.store.connection import Connect, Connection
from sos_ops.store.devices import devices
from sos_ops.store.maps import ensure_map

CHUNK_BYTES = 8 << 20
"""Text that is stored at once: large enough that a commit costs little, small enough to be held several times."""

_WAITING = 2
"""Chunks that may wait for a lane."""

SourceFile = CsvFile | ParquetFile

Progress = Callable[[int, int, int], None]
"""Is told how far it is: bytes read of the file, its size, lines."""


@dataclass(frozen=True)
class Outcome:
    """What an import came to; `before` when an earlier import of the same file had it all."""

    import_id: int
    report: Report
    before: bool = False


@dataclass(frozen=True)
class Preview:
    """What importing the first rows would come to; nothing was stored. `converted` is None when there are none."""

    report: Report
    converted: Converted | None
    names: Mapping[int, str]


@dataclass(frozen=True)
class _Plan:
    """A mapping with what its names are in the database."""

    mapping: ImportMapping
    owner: Owner
    converter: Converter
    names: dict[int, str]
    key: dict[str, Any]


def import_file(
    connect: Connect,
    path: Path,
    mapping: ImportMapping,
    *,
    folder: Path,
    again: bool = False,
    chunk_bytes: int = CHUNK_BYTES,
    progress: Progress = lambda _position, _size, _lines: None,
) -> Outcome:
    """Imports a file. Done twice it changes nothing; interrupted and done again, it ends the same.

    Args:
        connect: opens a connection.
        path: a CSV file (`.csv`, `.csv.gz`, any other text) or a Parquet file (`.parquet`, `.pq`).
        mapping: what its columns mean.
        folder: where the file of refused rows is written.
        again: reads a file again that was imported before: rows refused then may be taken now.
        chunk_bytes: text that is stored at once.
        progress: is told how far it is.

    Raises:
        SosOpsError: the file or the mapping cannot be used, in one line; what was stored until then stays.
    """
    with closing(_open(path, mapping, chunk_bytes)) as source, ExitStack() as stack:
        with connect() as connection:
            plan = _plan(connection, path, mapping)
            found = _find(connection, path, plan, chunk_bytes, again=again)
        if found is not None and found.report is not None:
            report = Report.from_json(found.report)
            return Outcome(found.import_id, report, before=True)
        if found is None:
            with connect() as connection:
                import_id = _begin(connection, path, plan)
        else:
            import_id = found.import_id
        sessions = [stack.enter_context(connect()) for _ in range(LANES)]
        for number, session in enumerate(sessions):
            store.take_lane(session, import_id, number)
        stored = store.stored_chunks(sessions[0], import_id)
        again_chunks = source.skip(stored, LANES)
        if again_chunks is None:
            raise SosOpsError(f"{path}: changed while it was looked at: import it again")
        before = path.stat()
        lanes = [Lane(s, import_id, number, LANES, plan.owner) for number, s in enumerate(sessions)]
        for session in sessions:
            session.commit()
        _run(lanes, sessions, _converted(source, again_chunks, plan), progress, source.size)
        source.read_to_the_end()
        after = path.stat()
        if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise SosOpsError(f"{path}: was changed while it was read: import it again")
        return _finish(sessions[0], import_id, source, plan, folder)


def preview(connect: Connect, path: Path, mapping: ImportMapping, *, rows: int) -> Preview:
    """What importing the first rows of a file would come to. Nothing is stored.

    Raises:
        SosOpsError: the file or the mapping cannot be used, in one line.
    """
    with closing(_open(path, mapping, 1 << 20)) as source, connect() as connection:
        try:
            plan = _plan(connection, path, mapping)
            import_id = _begin(connection, path, plan)
            lane = Lane(connection, import_id, 0, 1, plan.owner)
            first: Converted | None = None
            left, all_of_it = rows, True
            for chunk in source.chunks():
                all_of_it = chunk.line_count <= left
                if left > 0:
                    converted = plan.converter.convert(_cut(chunk, left))
                    lane.store(converted)
                    first = first or converted
                    left -= chunk.line_count
                if not all_of_it:
                    break
            report = _report(connection, import_id, source, plan)
            return Preview(
                report if all_of_it else replace(report, looked_at=rows),
                first,
                plan.names,
            )
        finally:
            connection.rollback()


def _open(path: Path, mapping: ImportMapping, chunk_bytes: int) -> SourceFile:
    if not path.is_file():
        raise SosOpsError(f"{path}: there is no such file")
    if path.suffix.lower() in (".parquet", ".pq"):
        return ParquetFile(path, mapping, chunk_bytes)
    return CsvFile(path, mapping, chunk_bytes)


def _plan(connection: Connection, path: Path, mapping: ImportMapping) -> _Plan:
    data_set = mapping.data_set or path.name
    wanted = {quantity.name for quantity in (mapping.columns or {}).values()}
    wanted |= {quantity.name for quantity in mapping.long.names.values()} if mapping.long else set()
    resolve = _partner if mapping.kind is Kind.RESULTS else _device
    owner, targets, whole = resolve(connection, mapping, data_set, wanted)
    key = {
        "mapping_sha256": mapping.sha256,
        "file_bytes": path.stat().st_size,
        "partner_id": owner.partner_id,
        "device_id": owner.device_id,
    }
    converter = Converter(mapping, targets, whole, now(connection))
    return _Plan(mapping, owner, converter, {target.id: name for name, target in targets.items()}, key)


_Resolved = tuple[Owner, dict[str, Target], list[int]]


def _partner(connection: Connection, mapping: ImportMapping, data_set: str, wanted: set[str]) -> _Resolved:
    assert mapping.partner is not None  # noqa: S101  # the mapping's own rule
    partner_id, tags = store.partner_targets(connection, mapping.partner)
    unknown = sorted(wanted - tags.keys())
    if unknown:
        raise InvalidConfigurationError(
            f"the mapping names {unknown[0]!r}, which is no tag of partner {mapping.partner}: "
            "`sos-ops tag list` shows them, `sos-ops tag add` adds one"
        )
    if mapping.long:
        subjects = [store.Subject(tag.site, tag_id=tag.tag_id) for tag in tags.values()]
        targets = {name: Target(tag.tag_id, at) for at, (name, tag) in enumerate(tags.items())}
    else:
        # One label stands beside all tags of the row: it says something of their site.
        sites = sorted({tags[name].site for name in wanted})
        subjects = [store.Subject(site) for site in sites]
        targets = {name: Target(tag.tag_id, 0) for name, tag in tags.items()}
    owner = Owner(partner_id, None, data_set, subjects, {})
    return owner, targets, list(range(len(subjects)))


def _device(connection: Connection, mapping: ImportMapping, data_set: str, wanted: set[str]) -> _Resolved:
    device = next((d for d in devices(connection) if d.name == mapping.device), None)
    if device is None:
        raise UnknownNameError(f"no device {mapping.device!r}: `sos-ops device list` shows those there are")
    points = dict(ensure_map(connection, device.protocol_map).protocol_map.points_by_name)
    unknown = sorted(wanted - points.keys())
    if unknown:
        raise InvalidConfigurationError(
            f"the mapping names {unknown[0]!r}, which is no point of protocol map {device.protocol_map}; "
            f"it has {', '.join(sorted(points)[:12])}"
        )
    ids = store.point_ids(connection, list(points))
    subject = store.Subject(device.site, device_id=device.device_id)
    owner = Owner(
        None, device.device_id, data_set, [subject], {ids[name]: point for name, point in points.items()}
    )
    return owner, {name: Target(ids[name], 0) for name in points}, [0]


def _find(
    connection: Connection, path: Path, plan: _Plan, chunk_bytes: int, *, again: bool
) -> store.StoredImport | None:
    """The import of the same text under the same mapping: a finished one, or one that was interrupted."""
    whole: str | None = None
    for candidate in store.imports_like(connection, plan.key):
        with closing(_open(path, plan.mapping, chunk_bytes)) as source:
            if candidate.content_sha256 is None:
                if source.skip(store.stored_chunks(connection, candidate.import_id), 0) is not None:
                    return candidate
            elif not again:
                if whole is None:
                    source.read_to_the_end()
                    whole = source.digest()
                if candidate.content_sha256 == whole:
                    return candidate
    return None


def _begin(connection: Connection, path: Path, plan: _Plan) -> int:
    return store.begin_import(
        connection,
        plan.key,
        data_set=plan.owner.data_set,
        file_name=path.name,
        mapping=plan.mapping.content,
    )


def _converted(source: SourceFile, again: list[Chunk], plan: _Plan) -> Iterator[Converted]:
    for chunk in again:
        yield plan.converter.convert(chunk)
    for chunk in source.chunks():
        yield plan.converter.convert(chunk)


class _Crew:
    """A thread a lane, each with a short queue of chunks."""

    def __init__(self, lanes: list[Lane], sessions: list[Connection]) -> None:
        self._queues: list[queue.Queue[Converted | None]] = [queue.Queue(_WAITING) for _ in lanes]
        self.failures: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._work_off, args=(its_queue, lane, session))
            for its_queue, lane, session in zip(self._queues, lanes, sessions, strict=True)
        ]
        for thread in self._threads:
            thread.start()

    def _work_off(self, waiting: queue.Queue[Converted | None], lane: Lane, session: Connection) -> None:
        while (converted := waiting.get()) is not None:
            if self.failures:
                continue  # whoever fills the queue must not wait for ever
            try:
                lane.store(converted)
                session.commit()
            except BaseException as error:  # noqa: BLE001  # raised again by the thread that waits
                self.failures.append(error)

    def give(self, converted: Converted) -> None:
        """Hands a chunk to every lane that has not stored it yet; waits while they are busy."""
        for number, waiting in enumerate(self._queues):
            if number not in converted.chunk.done:
                waiting.put(converted)

    def end(self) -> None:
        """Waits until everything handed out is stored."""
        for waiting in self._queues:
            waiting.put(None)
        for thread in self._threads:
            thread.join()


def _run(
    lanes: list[Lane], sessions: list[Connection], work: Iterator[Converted], progress: Progress, size: int
) -> None:
    """Stores every chunk.

    Raises:
        SosOpsError: reading or storing failed; what was committed until then stays.
    """
    crew = _Crew(lanes, sessions)
    try:
        for converted in work:
            if crew.failures:
                break
            crew.give(converted)
            chunk = converted.chunk
            progress(chunk.position, size, chunk.first_line + chunk.line_count - 1)
    finally:
        crew.end()
    if crew.failures:
        raise crew.failures[0]


def _finish(connection: Connection, import_id: int, source: SourceFile, plan: _Plan, folder: Path) -> Outcome:
    connection.execute("set synchronous_commit = on")
    report = _report(connection, import_id, source, plan)
    if report.refused:
        report = replace(report, refused_file=str(_write_refused(connection, import_id, plan, folder)))
    store.finish_import(connection, import_id, source.digest(), report.to_json())
    connection.commit()
    return Outcome(import_id, report)


def _report(connection: Connection, import_id: int, source: SourceFile, plan: _Plan) -> Report:
    sums = store.sums(connection, import_id)
    labels, normal, anomalous = store.label_sums(connection, import_id)
    # Taken out before the others are counted and written: they are not refused.
    not_kept = take_not_kept(connection, import_id)
    refused = store.refused_by_reason(connection, import_id)
    return Report(
        kind=str(plan.mapping.kind),
        lines=sums.lines,
        **sums.values.__dict__,
        missing=sums.missing,
        labels=labels,
        normal=normal,
        anomalous=anomalous,
        refused=tuple(RefusedReason(reason, count, tuple(at), text) for reason, count, at, text in refused),
        not_imported=tuple(source.not_imported),
        first_day=_day(sums.first_at),
        last_day=_day(sums.last_at),
        not_kept_points=not_kept,
    )


def _day(moment: datetime | None) -> str | None:
    return None if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d}"


def _write_refused(connection: Connection, import_id: int, plan: _Plan, folder: Path) -> Path:
    """Writes the refused rows to a file that is there only when it is whole."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", plan.owner.data_set)[:80]
    path = folder / f"{import_id}-{name}.refused.csv"
    unfinished = path.with_suffix(".part")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with unfinished.open("wb") as file:
            store.write_refused(connection, import_id, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise SosOpsError(
            f"{path}: the refused rows cannot be written ({error.strerror}): make room, then again"
        ) from error
    return path


def _cut(chunk: Chunk, rows: int) -> Chunk:
    """The first rows of a chunk."""
    if chunk.line_count <= rows:
        return chunk
    last = chunk.first_line + rows - 1
    kept = Refusals()
    parts = zip(
        chunk.refusals.lines,
        chunk.refusals.columns,
        chunk.refusals.reasons,
        chunk.refusals.texts,
        strict=True,
    )
    for lines, column, reason, texts in parts:
        here = lines <= last
        kept.add(lines[here], column, reason, texts.filter(here))
    table_rows = int(np.searchsorted(chunk.lines, last, side="right"))
    return replace(
        chunk,
        table=None if chunk.table is None else chunk.table.slice(0, table_rows),
        lines=chunk.lines[:table_rows],
        refusals=kept,
        line_count=rows,
    )
