"""What an import came to, for a person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class RefusedReason:
    """Things refused for one reason: how many, the first few lines, the first text."""

    reason: str
    count: int
    lines: tuple[int, ...]
    example: str

    def line(self) -> str:
        """One line for a person."""
        where = ", ".join(str(n) for n in self.lines) + (", ..." if self.count > len(self.lines) else "")
        example = f", as {self.example!r}" if self.example else ""
        return f"{self.count:,} refused: {self.reason} (line {where}{example})"


@dataclass(frozen=True)
class NotKept:
    """Readings of a point whose minute had one: how many, the smallest and the largest, in the point's unit."""

    point: str
    count: int
    smallest: float
    largest: float

    def line(self) -> str:
        """One line for a person."""
        return f"  {self.point}: {self.count:,}, the smallest {self.smallest:.10g}, the largest {self.largest:.10g}"


@dataclass(frozen=True)
class Report:
    """What an import came to.

    Attributes:
        lines: lines (of Parquet: rows) read.
        stored: values that were stored.
        known: values that stood already, equal.
        set_aside: values different from the one that stands; they are in `sos-ops quarantine`.
        not_kept: readings of a minute that had one.
        missing: cells that say that there is no value.
        labels: spans of labels; `normal` and `anomalous` rows say so.
        first_day, last_day: the UTC days the values lie in; None when there are none.
        not_imported: columns of the file that the mapping does not name.
        not_kept_points: the readings not kept, point by point: a peak between those that are kept shows here.
        looked_at: rows that a rehearsal looked at, when the file has more.
    """

    kind: str
    lines: int
    stored: int
    known: int
    set_aside: int
    not_kept: int
    missing: int
    labels: int
    normal: int
    anomalous: int
    refused: tuple[RefusedReason, ...]
    not_imported: tuple[str, ...]
    first_day: str | None
    last_day: str | None
    refused_file: str | None = None
    not_kept_points: tuple[NotKept, ...] = ()
    looked_at: int | None = None

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Report:
        """The report as the database keeps it."""
        refused = tuple(
            RefusedReason(r["reason"], r["count"], tuple(r["lines"]), r["example"]) for r in stored["refused"]
        )
        # Reports from before do not tell the points.
        points = tuple(NotKept(**point) for point in stored.get("not_kept_points", ()))
        tuples = {
            "refused": refused,
            "not_imported": tuple(stored["not_imported"]),
            "not_kept_points": points,
        }
        return cls(**{**stored, **tuples})

    def to_json(self) -> dict[str, Any]:
        """The report as the database keeps it."""
        return asdict(self)

    @property
    def refused_count(self) -> int:
        """How many things were refused, in all."""
        return sum(reason.count for reason in self.refused)

    @property
    def holds_nothing(self) -> bool:
        """True when the whole file was read and says nothing in any column of the mapping."""
        said = self.stored + self.known + self.set_aside + self.not_kept + self.missing + self.labels
        return self.looked_at is None and not said and not self.refused

    def text(self) -> Sequence[str]:
        """The report, line by line."""
        if self.holds_nothing:
            empty = f": its {self.lines:,} lines are empty in every column of the mapping"
            return ["the file holds no rows" + (empty if self.lines else "")]
        lines = [
            f"{self.lines:,} lines read: {self.stored:,} {self.kind} stored, {self.known:,} stood already"
        ]
        if self.looked_at is not None:
            lines.append(f"the first {self.looked_at:,} rows; the rest of the file was not looked at")
        if self.not_kept:
            lines.append(
                f"{self.not_kept:,} readings not kept: their minute has an earlier one, and one is kept"
                + (". Of them" if self.not_kept_points else "")
            )
            lines += [point.line() for point in self.not_kept_points]
        if self.missing:
            lines.append(f"{self.missing:,} cells without a value")
        if self.labels:
            lines.append(
                f"labels: {self.normal:,} normal and {self.anomalous:,} anomalous rows, {self.labels:,} spans of time"
            )
        if self.not_imported:
            lines.append("columns not imported: " + ", ".join(self.not_imported))
        lines += [reason.line() for reason in self.refused]
        if self.refused_file:
            lines.append(f"every refused row: {self.refused_file}")
        elif not self.refused:
            lines.append("nothing was refused")
        return lines
