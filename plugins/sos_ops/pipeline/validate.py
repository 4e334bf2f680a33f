"""Deciding which results count: every row not yet validated, late ones too, in batches that stand or fall whole."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

from sos_ops.checks import suites
from sos_ops.checks.judge import Found, judge
from sos_ops.checks.rows import Rows
from sos_ops.checks.suites import BrokenSuiteError
from sos_ops.clock import MINUTE, floor_minute
from sos_ops.pipeline.score import REVISED_MINUTES
from sos_ops.settings import CHECKOUT
from sos_ops.store import validation
from sos_ops.store.binary_copy import to_micros
from sos_ops.store.catalogue import partner_names as partners_in_use
from sos_ops.store.clock import now
from sos_ops.store.connection import Connect, Connection

log = logging.getLogger(__name__)

EXPECTATIONS = CHECKOUT / "expectations"

ROWS_AT_ONCE = 50_000
"""Bound on the rows of a batch, shared by the partners, so that no one's flood keeps another waiting."""

BATCH_OF_PARTNER = 1_000
"""A partner's share of a batch, at the least."""

LIVE_BUDGET_S = 5.0
"""A live run begins no further batch after this time: what is left are older results, and scoring waits."""

EMPTY_MINUTES_AT_ONCE = 60
"""After an outage, at most so many minutes are looked at for being empty."""

SHOWN = 3
"""Findings that the line of result tells in full."""

_Read = Callable[..., Rows]
"""Reads a batch: `validation.read_new` or `read_imported`."""

_BEGINNING = datetime(1800, 1, 1, tzinfo=UTC)
_END = datetime(9000, 1, 1, tzinfo=UTC)


@dataclass
class ValidationReport:
    """What validating came to."""

    accepted: int = 0
    marked: int = 0
    set_aside: int = 0
    undecided: int = 0
    left: bool = False
    findings: list[Found] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def line(self) -> str:
        """One line for the person on call: counts, what was set aside or marked, and what is broken."""
        parts = [
            f"{self.accepted} results accepted ({self.marked} of them doubtful), {self.set_aside} set aside"
        ]
        if self.undecided:
            parts.append(f"{self.undecided} stay new")
        if self.left:
            parts.append("older ones are left for the next run")
        told = [one for one in self.findings if one.kind != "late"]
        parts += [f"{one.kind}: {one.sentence}" for one in told[:SHOWN]]
        if len(told) > SHOWN:
            parts.append(f"{len(told) - SHOWN} more findings")
        if late := sum(one.count for one in self.findings if one.kind == "late"):
            parts.append(f"{late} came late")
        return "; ".join([*parts, *(f"failed: {line}" for line in self.failures)])


def validate_new(connect: Connect, folder: Path = EXPECTATIONS) -> ValidationReport:
    """A live run: every result not yet validated, the newest first; looks for empty minutes, too.

    Args:
        connect: opens a connection; each batch is a transaction of its own.
        folder: where the suites are.
    """
    return _validate(connect, folder, _BEGINNING, _END, budget_s=LIVE_BUDGET_S, live=True)


def validate_span(
    connect: Connect, since: datetime, until: datetime, folder: Path = EXPECTATIONS
) -> ValidationReport:
    """Validates every result with TIMESTAMP in (since, until] that is not validated yet, however many.

    Imported history is among them, which live runs leave alone.
    """
    report = _validate(connect, folder, since, until, budget_s=None, live=False)
    _validate(
        connect, folder, since, until, budget_s=None, live=False, read=validation.read_imported, report=report
    )
    return report


def warm_up(folder: Path = EXPECTATIONS) -> None:
    """Reads the suites and runs the common ones over one good row, so that no task has to load what they need."""
    one, none = np.ones(1), np.zeros(1)
    day, far = np.full(1, 86_400_000_000), np.full(1, np.inf)
    name = np.array(["warm_up"], dtype=object)
    rows = Rows(
        tag_id=np.ones(1, np.int64), partner_id=np.zeros(1, np.int64), ts=day, received_at=day, value=one,
        tag=name, partner=name, active_until=day + 1, x100=one, xl=one + 1, plausible_low=-far, plausible_high=far,
        max_rate=far, stuck_limit_s=far, stuck_s=none, other_values=np.zeros(1, np.int64),
        history_row=np.empty(0, np.int64), history_ts=np.empty(0, np.int64), history_value=np.empty(0),
    )  # fmt: skip
    judgement = judge(rows, folder)
    frame = pd.DataFrame(
        {"row": [0], "partner": ["warm_up"], "timestamp": [pd.Timestamp(0, tz="UTC")], "rows": [1]}
    )
    suites.run(suites.load(folder, suites.MINUTES), frame)
    for path in sorted((folder / suites.PARTNERS).glob("*.json")):
        with suppress(BrokenSuiteError):  # its partner's rows will tell
            suites.load(path.parent, path.stem)
    if judgement.broken:
        raise BrokenSuiteError(judgement.broken[0])


def _validate(
    connect: Connect, folder: Path, since: datetime, until: datetime, *, budget_s: float | None, live: bool,
    read: _Read = validation.read_new, report: ValidationReport | None = None,
) -> ValidationReport:  # fmt: skip
    report = ValidationReport() if report is None else report
    broken: dict[int, str] = {}
    began = time.monotonic()
    first = True
    while True:
        with connect() as connection:
            more = _batch(
                connection, folder, since, until, broken, report,
                look=live and first, first=first and read is validation.read_new, read=read,
            )  # fmt: skip
        first = False
        if not more:
            return report
        if budget_s is not None and time.monotonic() - began > budget_s:
            report.left = True
            return report


def _batch(
    connection: Connection,
    folder: Path,
    since: datetime,
    until: datetime,
    broken: dict[int, str],
    report: ValidationReport,
    *,
    look: bool,
    first: bool,
    read: _Read,
) -> bool:
    """One batch, in the transaction of the connection; whether there may be more to decide."""
    validation.lock_for_validation(connection)
    names = validation.partner_names(connection)
    most = max(BATCH_OF_PARTNER, ROWS_AT_ONCE // max(1, len(names)))
    rows = read(connection, since=since, until=until, most=most, without=broken)
    judgement = judge(rows, folder)
    decided_at = now(connection)
    counts = validation.write_decisions(connection, rows, judgement, decided_at)
    findings = [*judgement.findings, *validation.count_second_values(connection, decided_at)]
    failures = [f"{names[partner]}: {sentence}" for partner, sentence in judgement.broken.items()]
    findings += [
        Found("broken_suite", int((rows.partner_id == partner).sum()), sentence, partner)
        for partner, sentence in judgement.broken.items()
    ]
    if first:
        failures += _files_of_no_partner(folder, partners_in_use(connection))
    if look:
        empty, failure = _empty_minutes(connection, folder, decided_at)
        findings, failures = findings + empty, failures + failure
    if first or len(rows):
        validation.record_run(connection, counts, findings, failures, decided_at)
    broken |= judgement.broken
    report.accepted += counts.accepted
    report.marked += counts.marked
    report.set_aside += counts.set_aside
    report.undecided += sum(int((rows.partner_id == partner).sum()) for partner in judgement.broken)
    report.findings += findings
    report.failures += failures
    waits = ~judgement.decided & ~np.isin(rows.partner_id, list(judgement.broken))
    _, per_partner = np.unique(rows.partner_id, return_counts=True)
    return bool(waits.any()) or bool((per_partner >= most).any())


def _files_of_no_partner(folder: Path, in_use: Collection[str]) -> list[str]:
    """What to say of files that extend the suite for nobody: whoever put one there believes that it is used."""
    try:
        files = sorted(path.name for path in (folder / suites.PARTNERS).iterdir())
    except OSError:  # Git keeps no empty folder
        return []
    used = {f"{name}.json" for name in in_use}
    return [
        f"{suites.PARTNERS}/{name} is never used: no partner in use is named so; rename or remove it"
        for name in files
        if name not in used and not name.startswith(".")
    ]


def _empty_minutes(connection: Connection, folder: Path, at: datetime) -> tuple[list[Found], list[str]]:
    """Minutes without any result of a partner, looked for when live runs leave them behind: late is not empty."""
    settled = floor_minute(at) - REVISED_MINUTES * MINUTE
    after = validation.empty_until(connection) or settled - MINUTE
    after = max(min(after, settled), settled - EMPTY_MINUTES_AT_ONCE * MINUTE)
    if after == settled:
        return [], []
    counted = validation.rows_per_minute(connection, after, settled)
    validation.looked_for_empty(connection, settled)
    if not counted:
        return [], []
    frame = pd.DataFrame(
        {
            "row": range(len(counted)),
            "partner": [name for _, name, _, _ in counted],
            "timestamp": [minute for _, _, minute, _ in counted],
            "rows": [rows for _, _, _, rows in counted],
        }
    )
    try:
        hits = suites.run(suites.load(folder, suites.MINUTES), frame)
    except BrokenSuiteError as error:
        return [], [f"the suite of whole minutes is broken: {error}"]
    return _found(counted, frame, hits), []


def _found(
    counted: Sequence[tuple[int, str, datetime, int]], frame: pd.DataFrame, hits: Sequence[suites.Hits]
) -> list[Found]:
    found = []
    for hit in hits:
        for row in hit.rows:
            partner_id, name, minute, _ = counted[row]
            sentence = hit.meaning.say({str(name): value for name, value in frame.loc[row].items()})
            found.append(
                Found(hit.meaning.finding, 1, f"{name}: {sentence}", partner_id, ts=to_micros(minute))
            )
    return found
