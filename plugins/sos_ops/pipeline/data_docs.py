"""Data Docs: Great Expectations' pages about the results of the last hour, per partner, as files without a network.

A page of Great Expectations loads its style and scripts from five other sites. In a control room there are none: what
loads from elsewhere is taken out, and a small style of our own put in.
"""

from __future__ import annotations

import html
import logging
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sos_ops.checks import suites
from sos_ops.checks.rows import Rows, table
from sos_ops.checks.suites import BrokenSuiteError
from sos_ops.clock import both_zones
from sos_ops.pipeline.validate import EXPECTATIONS
from sos_ops.store import validation
from sos_ops.store.catalogue import partner_names
from sos_ops.store.clock import now
from sos_ops.store.connection import Connect

if TYPE_CHECKING:
    from great_expectations.core import ExpectationSuiteValidationResult

log = logging.getLogger(__name__)

EVERY = timedelta(hours=1)
RUNS_KEPT = 48
ROWS_OF_PARTNER = 20_000
FINDINGS_KEPT = timedelta(days=90)
FINDINGS_SHOWN = 200

_NAME = "%Y-%m-%dT%H%M%SZ"
_ELSEWHERE = re.compile(
    r"<script\b.*?</script\s*>|<link\b[^>]*>|<img\b[^>]*>|<form\b.*?</form\s*>|<footer\b.*?</footer\s*>"
    r"|url\('?http.*?\)",
    re.DOTALL | re.IGNORECASE,
)
_LINK_AWAY = re.compile(r'<a\b[^>]*\bhref="(?!#)[^"]*"[^>]*>(.*?)</a\s*>', re.DOTALL | re.IGNORECASE)
_STYLE = """<style>
body { font-family: system-ui, sans-serif; margin: 1.5rem auto; max-width: 70rem; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; margin: .5rem 0 1.5rem; } td, th { border: 1px solid #ccc; padding: .3rem .6rem; }
td, th { text-align: left; vertical-align: top; } pre { overflow: auto; }
nav, .navbar, .modal, .sticky { display: none; }
.fa-check-circle::before { content: "met"; } .fa-times::before { content: "NOT met"; font-weight: bold; }
</style>"""


@dataclass(frozen=True)
class _Page:
    """What the index tells of a partner."""

    partner: str
    rows: int
    file: str | None
    verdict: str
    tested: str


def report_validation(connect: Connect, folder: Path, expectations: Path = EXPECTATIONS) -> str:
    """Builds the Data Docs when the newest are an hour old, or validation failed since; forgets old findings.

    Args:
        connect: opens a connection.
        folder: where they are built.
        expectations: where the suites are.

    Returns:
        One line of result.
    """
    with connect() as connection:
        at = now(connection)
        forgotten = validation.forget_old_runs(connection, at - FINDINGS_KEPT)
        state = validation.validation_state(connection)
    newest = max((built for _, built in builds(folder)), default=None)
    failed = (
        bool(state.failures)
        and state.ran_at is not None
        and (
            newest is None or state.ran_at.replace(microsecond=0) > newest  # builds are named to the second
        )
    )
    # A clock that was set back leaves builds of the future: they are as good as none.
    if newest is not None and newest <= at < newest + EVERY and not failed:
        return (
            f"Data Docs of {both_zones(newest)} are new enough; {forgotten} old runs of validation forgotten"
        )
    pages = build(connect, folder, expectations)
    return f"Data Docs of {pages} partners built; {forgotten} old runs of validation forgotten"


def builds(folder: Path) -> list[tuple[Path, datetime]]:
    """The builds that stand, with their times."""
    found = []
    for path in folder.glob("*Z"):
        try:
            found.append((path, datetime.fromisoformat(path.name)))
        except ValueError:
            continue
    return sorted(found)


def build(connect: Connect, folder: Path, expectations: Path = EXPECTATIONS) -> int:
    """Builds the Data Docs of the results that arrived in the last hour; keeps the newest `RUNS_KEPT` builds.

    The builds are whole or not there: each is made aside and renamed.

    Returns:
        The number of partners with results.
    """
    with connect() as connection:
        at = now(connection)
        rows, counts = validation.read_received(connection, since=at - EVERY, until=at, most=ROWS_OF_PARTNER)
        in_use = partner_names(connection)
        findings = validation.recent_findings(connection, at - EVERY, FINDINGS_SHOWN)
        state = validation.validation_state(connection)
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    aside = folder / f".{at:{_NAME}}"
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir()
    frame = table(rows, counts)
    for name in ("tag", "active_tag"):  # Great Expectations writes values into its pages as they are
        frame[name] = frame[name].map(html.escape, na_action="ignore")
    parts = {str(partner): part for partner, part in (frame.groupby("partner") if len(frame) else [])}
    pages = [
        _partner_page(aside, partner, parts[partner], expectations, _tested(rows, parts[partner]))
        if partner in parts
        else _Page(partner, 0, None, "no results", "-")
        for partner in sorted({*parts, *in_use})
    ]
    (aside / "index.html").write_text(_run_index(at, pages, findings, state), encoding="utf-8")
    target = folder / f"{at:{_NAME}}"
    shutil.rmtree(target, ignore_errors=True)
    aside.rename(target)
    kept = builds(folder)
    for old, _ in kept[:-RUNS_KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    _write_index(folder, kept[-RUNS_KEPT:])
    return len(parts)


def _tested(rows: Rows, frame: pd.DataFrame) -> str:
    """For how many of the tags of these rows there is anything to test: a check that is not set is always met."""
    numbers = frame["row"].to_numpy()
    numbers = numbers[[name is not None for name in rows.tag[numbers]]]
    _, one_of_each = np.unique(rows.tag_id[numbers], return_index=True)
    tags = numbers[one_of_each]
    ranges = np.isfinite(rows.plausible_low[tags]) | np.isfinite(rows.plausible_high[tags])
    rates, stuck = np.isfinite(rows.max_rate[tags]), np.isfinite(rows.stuck_limit_s[tags])
    return (
        f"range tested for {ranges.sum()} of {tags.size} tags, rate {rates.sum()} of {tags.size}, "
        f"stuck {stuck.sum()} of {tags.size}"
    )


def _partner_page(folder: Path, partner: str, frame: pd.DataFrame, expectations: Path, tested: str) -> _Page:
    """Both suites of a partner on one page; a suite that is broken says so there."""
    names = [(expectations, suites.ALL_PARTNERS)]
    if suites.has_own_suite(expectations, partner):
        names.append((expectations / suites.PARTNERS, partner))
    verdicts, parts = [], []
    for where, name in names:
        try:
            result = suites.validate(suites.load(where, name), frame, shown=("tag", "timestamp"))
        except BrokenSuiteError as error:
            verdicts.append(f"{name} is broken")
            parts.append(_document("broken", f"<p>{html.escape(str(error))}</p>"))
            continue
        failed = sum(not one.success for one in result.results)
        verdicts.append(f"{name}: {len(result.results) - failed} of {len(result.results)} met")
        parts.append(_rendered(result))
    files = [f"{partner}{'' if n == 0 else '-own'}.html" for n in range(len(parts))]
    for file, text in zip(files, parts, strict=True):
        (folder / file).write_text(text, encoding="utf-8")
    return _Page(partner, len(frame), ",".join(files), "; ".join(verdicts), tested)


def _rendered(result: ExpectationSuiteValidationResult) -> str:
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer
    from great_expectations.render.view.view import DefaultJinjaPageView

    page = str(DefaultJinjaPageView().render(ValidationResultsPageRenderer().render(result)))  # type: ignore[no-untyped-call]
    return without_elsewhere(page)


def without_elsewhere(page: str) -> str:
    """A page of Great Expectations without anything that is loaded from other sites or run."""
    return _LINK_AWAY.sub(r"\1", _ELSEWHERE.sub("", page)).replace("</head>", f"{_STYLE}</head>", 1)


def _run_index(
    at: datetime,
    pages: Sequence[_Page],
    findings: Sequence[validation.Finding],
    state: validation.ValidationState,
) -> str:
    lines = [f"<p>Results that arrived in the hour before {html.escape(both_zones(at))}. {_how(state)}</p>"]
    lines += [
        _table(
            ["partner", "results", "expectations", "tested"],
            [[p.partner, str(p.rows), p.verdict, p.tested] for p in pages],
            pages,
        )
    ]
    lines += ["<h2>Findings</h2>", _table(
        ["minute", "partner", "tag", "finding", "count", "what"],
        [[both_zones(f.minute), f.partner or "-", f.tag or "-", f.kind, str(f.count), f.sentence] for f in findings],
    )]  # fmt: skip
    return _document(f"Validation at {both_zones(at)}", "\n".join(lines))


def _how(state: validation.ValidationState) -> str:
    if state.failures:
        return html.escape("Validation FAILED: " + "; ".join(state.failures))
    return f"{state.waiting} results wait for validation."


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]], pages: Sequence[_Page] = ()) -> str:
    def cell(line: int, column: int, text: str) -> str:
        escaped = html.escape(text)
        if column == 0 and pages and (files := pages[line].file):
            links = [f'<a href="{html.escape(file)}">{escaped if n == 0 else "its own suite"}</a>'
                     for n, file in enumerate(files.split(","))]  # fmt: skip
            escaped = ", ".join(links)
        return f"<td>{escaped}</td>"

    head = "".join(f"<th>{html.escape(name)}</th>" for name in heads)
    body = "\n".join(
        "<tr>" + "".join(cell(line, column, text) for column, text in enumerate(row)) + "</tr>"
        for line, row in enumerate(rows)
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"


def _write_index(folder: Path, kept: Sequence[tuple[Path, datetime]]) -> None:
    rows = "\n".join(
        f'<li><a href="{path.name}/index.html">{html.escape(both_zones(built))}</a></li>'
        for path, built in reversed(kept)
    )
    aside = folder / ".index.html"
    aside.write_text(_document("Validation reports", f"<ul>\n{rows}\n</ul>"), encoding="utf-8")
    aside.replace(folder / "index.html")


def _document(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title>{_STYLE}</head><body><h1>{html.escape(title)}</h1>\n{body}\n</body></html>\n"
    )
