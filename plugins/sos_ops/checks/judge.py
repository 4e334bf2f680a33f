"""What becomes of each result: accepted, accepted with marks, or set aside. Suspicion towards danger never discards.

A value *points to danger* when its depth u is at least 1, or deeper than that of the value that was rather to be
expected (the previous accepted one, the nearest plausible one). Everything else points to safety: only there a
finding sets a row aside.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sos_ops.checks import suites
from sos_ops.checks.rows import Bools, Ints, Rows, table
from sos_ops.checks.suites import BrokenSuiteError, Effect, Hits, Meaning, Suite
from sos_ops.safety.score import depth

MOST_ROUNDS = 20
"""Bound on the rounds of one batch; what is open then is decided by the next batch."""

TOWARDS_DANGER = "unlikely_towards_danger"
"""The mark of a row that a finding would have set aside, had it not pointed to danger."""


@dataclass(frozen=True)
class Found:
    """A finding of a run: `count` rows of one tag, or a whole partner's; times are microseconds since 2000."""

    kind: str
    count: int
    sentence: str
    partner_id: int | None
    tag_id: int | None = None
    ts: int | None = None


@dataclass(frozen=True)
class Judgement:
    """What becomes of rows; arrays of shape (rows,).

    Attributes:
        decided: whether a decision was reached; the others stay new.
        accepted: whether the row counts, where decided.
        marks: the names of the findings that did not keep it from counting.
        reasons: why it was set aside, or what is doubtful about it although it counts.
        findings: counted per tag and kind.
        broken: the partners whose rows stay new, with the sentence that says why.
    """

    decided: Bools
    accepted: Bools
    marks: list[list[str]]
    reasons: list[str | None]
    findings: list[Found] = field(default_factory=list)
    broken: dict[int, str] = field(default_factory=dict)


def judge(rows: Rows, folder: Path) -> Judgement:
    """Judges rows by the suites in `folder`.

    A row's rate of change is counted from results accepted before it, which may be rows of the same batch. So
    what becomes of each row is guessed first, and judged again where the guess was wrong: what came of a tag's first
    surprise is then guessed of all after it. Up to its first surprise a tag's rows are decided for good.
    """
    guess = np.ones(len(rows), dtype=np.bool_)
    if len(rows) == 0:
        return Judgement(guess, guess, [], [])
    accepted = guess.copy()
    open_rows = np.ones(len(rows), dtype=np.bool_)
    broken: dict[int, str] = {}
    hits: dict[int, list[Meaning]] = {}
    doubts: dict[int, list[str]] = {}
    for _ in range(MOST_ROUNDS):
        frame = table(rows, guess)[open_rows]
        found = _run(frame, rows, folder, broken)
        open_rows &= ~np.isin(rows.partner_id, list(broken))
        for number in np.flatnonzero(open_rows).tolist():
            hits.pop(number, None)
        _collect(found, hits)
        accepted[open_rows] = True
        for row, columns in _of_rows(frame, [row for row in hits if open_rows[row]]):
            doubts[row], accepted[row] = _outcome(columns, hits[row])
        guess, open_rows = _surprises(rows, guess, accepted, open_rows)
        if not open_rows.any():
            break
    decided = ~open_rows & ~np.isin(rows.partner_id, list(broken))
    hits = {row: meanings for row, meanings in hits.items() if decided[row]}
    return Judgement(
        decided=decided,
        accepted=accepted,
        marks=[_marks(hits.get(row, ()), accepted=bool(accepted[row])) for row in range(len(rows))],
        reasons=["; ".join(doubts[row]) or None if row in hits else None for row in range(len(rows))],
        findings=_findings(rows, table(rows, guess), hits),
        broken=broken,
    )


def points_to_danger(u: float, u_expected: float) -> bool:
    """Whether a value points to danger; `u_expected` is NaN when nothing was rather to be expected."""
    return u >= 1 or u > u_expected


def _run(frame: pd.DataFrame, rows: Rows, folder: Path, broken: dict[int, str]) -> list[Hits]:
    """The common suite over all, each partner's own over its rows; partners with a broken one are added to `broken`."""
    found = _run_common(frame, rows, folder, broken)
    for partner in sorted(set(frame["partner"]) - {None}):
        if suites.has_own_suite(folder, partner):
            part = frame[frame["partner"] == partner]
            partner_id = int(rows.partner_id[int(part["row"].iloc[0])])
            try:
                found += suites.run(suites.load(folder / suites.PARTNERS, partner), part)
            except BrokenSuiteError as error:
                broken[partner_id] = f"the suite is broken: {error}"
    return [
        Hits(h.meaning, [row for row in h.rows if int(rows.partner_id[row]) not in broken]) for h in found
    ]


def _run_common(frame: pd.DataFrame, rows: Rows, folder: Path, broken: dict[int, str]) -> list[Hits]:
    try:
        suite = suites.load(folder, suites.ALL_PARTNERS)
    except BrokenSuiteError as error:
        broken |= {int(partner): f"the suite is broken: {error}" for partner in _partners(frame, rows)}
        return []
    try:
        return suites.run(suite, frame)
    except BrokenSuiteError:
        return _run_one_by_one(suite, frame, rows, broken)


def _run_one_by_one(suite: Suite, frame: pd.DataFrame, rows: Rows, broken: dict[int, str]) -> list[Hits]:
    """One partner's rows may be what breaks it: then only that one waits."""
    found: list[Hits] = []
    its_partner = rows.partner_id[frame["row"].to_numpy()]
    for partner_id in _partners(frame, rows):
        try:
            found += suites.run(suite, frame[its_partner == partner_id])
        except BrokenSuiteError as error:
            broken[int(partner_id)] = f"the suite is broken: {error}"
    return found


def _partners(frame: pd.DataFrame, rows: Rows) -> Ints:
    return np.unique(rows.partner_id[frame["row"].to_numpy()])


def _collect(found: Sequence[Hits], hits: dict[int, list[Meaning]]) -> None:
    for one in found:
        for row in one.rows:
            hits.setdefault(row, []).append(one.meaning)


def _of_rows(frame: pd.DataFrame, which: Sequence[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    for record in frame.loc[list(which)].to_dict("records"):
        yield int(record["row"]), {str(name): value for name, value in record.items()}


def _outcome(columns: Mapping[str, Any], meanings: Sequence[Meaning]) -> tuple[list[str], bool]:
    """What there is to say about a row with findings, and whether it counts."""
    doubts, counts = [], True
    for meaning in meanings:
        if meaning.effect is Effect.SET_ASIDE:
            expected = meaning.expected_of(columns)
            limits = columns["maximum_safe_value"], columns["warning_threshold"]
            danger = points_to_danger(float(columns["u"]), float(depth(expected, *limits)))
            counts = counts and danger
            doubts.append(meaning.say(columns) + ("; it points to danger" if danger else ""))
    return doubts, counts


def _surprises(rows: Rows, guess: Bools, accepted: Bools, open_rows: Bools) -> tuple[Bools, Bools]:
    """The next guess, and the rows it leaves open: those after a tag's first wrong guess, if that changes them."""
    size = len(rows)
    first = rows.first_of_tag
    wrong = np.where(open_rows & (guess != accepted), np.arange(size), size)
    first_wrong = np.full(size, size)
    np.minimum.at(first_wrong, first, wrong)
    surprise = first_wrong[first]
    after = open_rows & (np.arange(size) > surprise) & np.isfinite(rows.max_rate)
    outcome = accepted[np.minimum(surprise, max(size - 1, 0))] if size else accepted
    return np.where(after, outcome, accepted), after


def _marks(meanings: Sequence[Meaning], *, accepted: bool) -> list[str]:
    marks = {meaning.finding for meaning in meanings if meaning.effect is not Effect.COUNT}
    if accepted and any(meaning.effect is Effect.SET_ASIDE for meaning in meanings):
        marks.add(TOWARDS_DANGER)
    return sorted(marks) if accepted else []


def _findings(rows: Rows, frame: pd.DataFrame, hits: Mapping[int, Sequence[Meaning]]) -> list[Found]:
    """Per tag and kind how many rows, and the sentence of the newest."""
    newest: dict[tuple[int, int, str], tuple[int, Meaning]] = {}
    counts: Counter[tuple[int, int, str]] = Counter()
    for row in sorted(hits):  # rows of a tag stand in the order of time
        for meaning in {m.finding: m for m in hits[row]}.values():
            key = (int(rows.partner_id[row]), int(rows.tag_id[row]), meaning.finding)
            counts[key] += 1
            newest[key] = (row, meaning)
    columns = dict(_of_rows(frame, sorted({row for row, _ in newest.values()})))
    return [
        Found(
            kind,
            counts[partner_id, tag_id, kind],
            meaning.say(columns[row]),
            partner_id,
            tag_id,
            int(rows.ts[row]),
        )
        for (partner_id, tag_id, kind), (row, meaning) in newest.items()
    ]
