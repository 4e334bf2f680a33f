"""Looking into minutes: `explain`, `status`, `sets`, and deciding them again: `backfill`."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sos_ops.cli.console import age, console, parse_minute, print_json
from sos_ops.cli.database import connect
from sos_ops.cli.sets_table import BAND_STYLE, is_stale, sets_table
from sos_ops.cli.status_view import print_status
from sos_ops.clock import both_zones
from sos_ops.errors import SosOpsError
from sos_ops.views import ExplainedTag, Explanation

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    for command in (explain, status, sets, backfill):
        app.command()(command)


def explain(
    set_id: Annotated[int, typer.Argument(help="The set's number, see `sos-ops sets`.")],
    minute: Annotated[
        str,
        typer.Argument(
            help="A minute, ISO 8601, UTC unless it says otherwise; `latest` for the newest decided."
        ),
    ] = "latest",
    json: AsJson = False,
) -> None:
    """Say why a set's SoS is what it is at a minute: rows used, limits, shares, what is missing, what changed."""
    from sos_ops.store.explanations import explain as look_up

    at = None if minute == "latest" else parse_minute(minute)
    with connect() as connection:
        explanation = look_up(connection, set_id, at)
    if json:
        print_json(explanation)
    else:
        _print_explanation(explanation)


def _print_explanation(found: Explanation) -> None:
    console.print(f"set {found.set_id} at {both_zones(found.minute)}")
    if not found.exists:
        console.print(
            "[bold magenta]unknown[/]: this minute is not decided for this set (before its creation, after its"
        )
        console.print("retirement, in the future, or not filled: `sos-ops backfill` fills the past)")
    else:
        said = f"SoS {found.value!r}" if found.value is not None else f"SoS unknown, at most {found.upper!r}"
        weakest = f", weakest tag {found.limiting_tag}" if found.limiting_tag else ""
        style = BAND_STYLE[found.band]
        band = f"[{style}]{found.band}[/]" if style else str(found.band)
        console.print(f"{band}: {said}; {found.known} of {found.tags} tags known{escape(weakest)}")
        console.print(
            f"bands: warning below {found.warning_below}, critical below {found.critical_below};"
            f" decided {both_zones(found.decided_at)}"
        )
    console.print(_explained_table(found.parts))
    for part in found.parts:
        if part.u is not None and part.u >= 1:
            console.print(
                f"[bold yellow]{escape(part.tag)} is at or past its own threshold (u = {part.u:.3f})[/]"
            )
        if part.marks:
            said = f": {part.doubt}" if part.doubt else ""
            console.print(escape(f"doubtful {part.tag}: {', '.join(part.marks)}{said}"))
        if part.missing_reason:
            console.print(escape(f"missing {part.tag}: {part.missing_reason}: {part.missing_detail}"))
    if found.exists or found.changes:
        console.print(
            "since the first decision:" if found.changes else "nothing changed since the first decision"
        )
    for change in found.changes:
        console.print(escape(f"  {change}"))


def _explained_table(parts: tuple[ExplainedTag, ...]) -> Table:
    table = Table(
        "tag",
        "value",
        "TIMESTAMP (UTC)",
        "age",
        "arrived (UTC)",
        "x100",
        "xL",
        "L",
        "limits",
        "u",
        "f",
        "share",
    )
    for part in parts:
        used = part.f is not None
        table.add_row(
            escape(part.tag),
            "-"
            if part.value is None
            else f"{part.value:g} {part.unit or ''}" + ("" if used else " (not used)"),
            "-" if part.timestamp is None else f"{part.timestamp.astimezone(UTC):%m-%d %H:%M:%S}",
            age(part.age_s),
            "-" if part.received_at is None else f"{part.received_at.astimezone(UTC):%m-%d %H:%M:%S}",
            f"{part.maximum_safe_value:g}",
            f"{part.warning_threshold:g}",
            f"{part.upper_safety_limit:.10g}",
            f"v{part.limits_version}"
            + (
                f" from {part.limits_valid_from:%m-%d %H:%M}"
                if part.limits_valid_from
                else " from the beginning"
            ),
            "-" if part.u is None else f"{part.u:.4f}",
            "-" if part.f is None else f"{part.f:.6f}",
            "-" if part.share is None else f"{part.share:.1%}",
        )
    return table


def status(json: AsJson = False) -> None:
    """Show what runs, how old the data is, the sets by band, and the worst first."""
    print_status(as_json=json)


def sets(json: AsJson = False) -> None:
    """List the sets in use, worst first."""
    from sos_ops.store import page
    from sos_ops.store.clock import now

    with connect() as connection:
        rows = page.sets(connection)
        at = now(connection)
    if json:
        print_json([{"set": view, "newest": point, "stale": is_stale(point, at)} for view, point in rows])
    else:
        console.print(sets_table(rows, at))


def backfill(
    first: Annotated[datetime, typer.Option("--from", formats=["%Y-%m-%d"], help="First UTC day.")],
    last: Annotated[
        datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last UTC day (default: --from).")
    ] = None,
) -> None:
    """Fill whole UTC days: engines over stored readings, then SoS of every set in use. Doing it twice changes nothing.

    In Airflow the same is `airflow backfill create --dag-id sos_history --from-date DAY --to-date DAY`.
    """
    from sos_ops.pipeline.history import fill

    start, end = first.date(), (last or first).date()
    if not 1970 <= start.year <= end.year < 2200:
        raise SosOpsError(f"{start} to {end}: the platform knows the years 1970 to 2199")
    if end < start:
        raise SosOpsError(f"--to {end} lies before --from {start}: swap them")
    days = (end - start).days + 1
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("days"), TimeRemainingColumn(),
        console=console,
    ) as progress:  # fmt: skip
        task = progress.add_task("filling", total=days)
        for number in range(days):
            day: date = start + timedelta(days=number)
            report = fill(connect, day, backfill=True)
            progress.console.print(escape(report.line()))
            progress.advance(task)
