"""What one session of an import does with a chunk: its part of the values, and one of them the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sos_ops.imports.chunk import Chunk, Reason
from sos_ops.imports.labels import Reach, spans
from sos_ops.imports.readings import QUALITIES, judge
from sos_ops.imports.rows import Converted, ValueRows
from sos_ops.modbus.protocol_map import Point
from sos_ops.pipeline.import_not_kept import note_not_kept
from sos_ops.store import imports as db
from sos_ops.store.clock import now
from sos_ops.store.connection import Connection

LANES = 2
"""Sessions that store at the same time. Keeping the key of `result` costs the server more than reading the file."""

_SPREAD = 30 * 86_400_000_000
"""Microseconds. What a lane stores of a tag lies together: among another's rows, index pages would end half full."""


@dataclass(frozen=True)
class Owner:
    """Whose data they are: a partner's results, or a device's readings.

    Attributes:
        subjects: whose labels there may be, by the numbers that rows carry.
        points: of a device, by their ids.
    """

    partner_id: int | None
    device_id: int | None
    data_set: str
    subjects: Sequence[db.Subject]
    points: Mapping[int, Point]


class Lane:
    """Stores its part of every chunk, each in one transaction together with the record that it is stored.

    Which part a value belongs to follows from its key alone, so that of two values for one key the one that stands
    first in the file always stays.
    """

    def __init__(self, connection: Connection, import_id: int, number: int, lanes: int, owner: Owner) -> None:
        """Prepares a session; commit before the first chunk. A single lane is a rehearsal and never commits."""
        self._connection = connection
        self._import_id = import_id
        self._number = number
        self._lanes = lanes
        self._owner = owner
        self._meets_others = False
        self._reached: dict[int, Reach] = {}
        db.prepare_staging(connection)
        if number == 0:
            by_subject = db.label_reach(connection, import_id)
            self._reached = {
                at: by_subject[subject] for at, subject in enumerate(owner.subjects) if subject in by_subject
            }

    def store(self, converted: Converted) -> None:
        """Stores this lane's part of a chunk; the caller commits."""
        if self._lanes == 1:
            # A commit empties them; a rehearsal has none, and would judge the chunks before with each one.
            self._connection.execute("truncate pg_temp.staged_result, pg_temp.imported_reading")
        rows = self._part(converted.values)
        done = self._results(rows) if self._owner.partner_id is not None else self._readings(rows)
        if self._number == 0:
            self._store_rest(converted)
        missing = converted.missing if self._number == 0 else 0
        db.record_chunk(
            self._connection,
            self._import_id,
            self._number,
            {**_place(converted.chunk), "missing": missing},
            done,
            rows.micros,
        )

    def _part(self, rows: ValueRows) -> ValueRows:
        if self._lanes == 1:
            return rows
        # Of readings a whole minute belongs to one lane.
        spread = rows.micros // _SPREAD + (rows.ids if self._owner.partner_id is not None else 0)
        return rows.chosen(spread % self._lanes == self._number)

    def _results(self, rows: ValueRows) -> db.Stored:
        partner_id = self._owner.partner_id
        assert partner_id is not None  # noqa: S101  # the caller asked
        if not len(rows):
            return db.Stored()
        received_at = now(self._connection)
        order = np.lexsort((rows.lines, rows.micros, rows.ids))
        ids, micros = rows.ids[order], rows.micros[order]
        twice = bool(((ids[1:] == ids[:-1]) & (micros[1:] == micros[:-1])).any())
        if not (twice or self._meets_others):
            values = rows.values[order]
            if db.add_new_results(self._connection, partner_id, ids, micros, values, received_at):
                return db.Stored(stored=len(rows))
        done, aside = db.merge_results(
            self._connection, partner_id, rows.ids, rows.micros, rows.values, rows.lines, received_at
        )
        # Where rows stood already, the next chunk's probably do too: it is not tried in vain.
        self._meets_others = done.stored < len(rows) and not twice
        self._refuse(aside, Reason.SET_ASIDE)
        return done

    def _readings(self, rows: ValueRows) -> db.Stored:
        device_id = self._owner.device_id
        assert device_id is not None  # noqa: S101  # the caller asked
        if not len(rows):
            return db.Stored()
        db.ensure_days(self._connection, rows.micros, rehearsal=self._lanes == 1)
        values, suspects, qualities = judge(rows.ids, rows.values, self._owner.points)
        readings = db.ReadingRows(rows.ids, rows.micros, values, suspects, qualities, rows.lines)
        names = [str(quality) for quality in QUALITIES]
        done, refused = db.merge_readings(self._connection, device_id, readings, self._owner.data_set, names)
        if done.not_kept:
            note_not_kept(self._connection, self._import_id, device_id)
        self._refuse(refused["O"], Reason.OTHER_READING)
        self._refuse(refused["P"], Reason.POLLED_MINUTE)
        return done

    def _refuse(self, rows: Sequence[tuple[int, str]], reason: Reason) -> None:
        if rows:
            lines: NDArray[np.int64] = np.array([line for line, _ in rows], np.int64)
            db.store_refused(self._connection, self._import_id, lines, "", reason, [text for _, text in rows])

    def _store_rest(self, converted: Converted) -> None:
        refusals = converted.refusals
        for lines, column, reason, texts in zip(
            refusals.lines, refusals.columns, refusals.reasons, refusals.texts, strict=True
        ):
            db.store_refused(self._connection, self._import_id, lines, column, reason, texts)
        found = spans(converted.labels, self._reached)
        self._reached = db.store_labels(
            self._connection, self._import_id, self._owner.subjects, found, self._reached
        )


def _place(chunk: Chunk) -> dict[str, int | str | None]:
    return {
        "chunk": chunk.number,
        "begin": chunk.begin,
        "end": chunk.end,
        "first_line": chunk.first_line,
        "line_count": chunk.line_count,
        "digest": chunk.digest,
    }
