"""A probe's report for a person: the points, worst first, what was found, and one line that sums it up."""

from __future__ import annotations

import statistics
from collections import Counter

from rich.markup import escape
from rich.table import Table

from sos_ops.cli.console import console
from sos_ops.modbus.decode import Judged, flag_names
from sos_ops.modbus.minute_budget import fit_sentence
from sos_ops.modbus.probe.report import ProbeReport, Severity
from sos_ops.modbus.probe.samples import Series

ROWS_SHOWN = 40
_STYLE = {Severity.WRONG: "red", Severity.LOOK: "yellow", None: "green"}
_LINES_OF_A_KIND = 5


def print_probe(report: ProbeReport, *, show_all: bool = False) -> None:
    """Print a report; `show_all` shows every point instead of the first `ROWS_SHOWN`."""
    device = report.device
    where = f"{device.host}:{device.port} unit {device.unit_id}"
    if report.unreachable is not None:
        console.print(f"[red]cannot be reached:[/] {escape(report.unreachable)}")
        return
    _print_points(report, show_all)
    _print_findings(report)
    wrong = sum(finding.severity is Severity.WRONG for finding in report.findings)
    verdict = "[green]all well[/]" if not report.findings else f"{len(report.findings) - wrong} worth a look"
    if wrong:
        verdict = f"[red]{wrong} wrong[/], {len(report.findings) - wrong} worth a look"
    read = sum(bool(series.registers) for series in report.points)
    console.print(
        f"{escape(where)} with map {report.map_name} version {report.map_version}: {verdict}; "
        f"{read} of {len(report.points)} points read in {report.samples} samples of {len(report.blocks)} requests"
    )
    _print_pace(report)


def _print_points(report: ProbeReport, show_all: bool) -> None:
    severities = {series.point.name: _severity(report, series) for series in report.points}
    rank = {Severity.WRONG: 0, Severity.LOOK: 1, None: 2}
    rows = sorted(report.points, key=lambda series: rank[severities[series.point.name]])
    shown = rows if show_all else rows[:ROWS_SHOWN]
    table = Table("point", "register", "value", "raw", "moved", "verdict")
    for series in shown:
        severity = severities[series.point.name]
        kinds = [finding.kind for finding in report.findings_of(series.point.name)]
        verdict = ", ".join(dict.fromkeys(kinds)) or "ok"
        table.add_row(
            series.point.name,
            f"{series.point.address} {series.point.function}",
            escape(_value(series)),
            " ".join(f"{register:04X}" for register in series.registers[-1][:4]) if series.registers else "-",
            _moved(series),
            f"[{_STYLE[severity]}]{verdict}[/]",
        )
    console.print(table)
    if len(shown) < len(rows):
        console.print(f"and {len(rows) - len(shown)} more points: --all shows them")


def _print_findings(report: ProbeReport) -> None:
    shown: Counter[str] = Counter()
    for finding in report.findings:
        shown[finding.kind] += 1
        if shown[finding.kind] <= _LINES_OF_A_KIND:
            console.print(f"[{_STYLE[finding.severity]}]{finding.severity}:[/] {escape(finding.text)}")
    for kind, count in shown.items():
        if count > _LINES_OF_A_KIND:
            console.print(f"and {count - _LINES_OF_A_KIND} more: {kind}")


def _print_pace(report: ProbeReport) -> None:
    seconds = report.request_seconds
    if not seconds:
        return
    text = f"answers took {1000 * statistics.median(seconds):.0f} ms (median), {1000 * seconds[-1]:.0f} ms (slowest)"
    if report.plan_seconds is not None:
        text += f"; the plan {fit_sentence(report.plan_seconds)}"
    console.print(text)


def _severity(report: ProbeReport, series: Series) -> Severity | None:
    found = {finding.severity for finding in report.findings_of(series.point.name)}
    return Severity.WRONG if Severity.WRONG in found else Severity.LOOK if found else None


def _value(series: Series) -> str:
    if not series.judged:
        return "not read"
    judged: Judged = series.judged[-1]
    point = series.point
    if judged.text is not None:
        return judged.text
    number = judged.value if judged.value is not None else judged.suspect_value
    if number is None:
        return judged.quality.value.replace("_", " ")
    if point.type.is_bitfield:
        return ", ".join(flag_names(point, number)) or "no flag"
    return f"{number:.6g} {point.unit}".rstrip()


def _moved(series: Series) -> str:
    numbers = series.numbers
    if len(numbers) < 2 or not series.point.type.is_number:
        return "-"
    return f"{max(numbers) - min(numbers):.3g}"
