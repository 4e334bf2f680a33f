"""Readings: decoding kept raw registers again after a map was mended."""

from __future__ import annotations

import getpass
from contextlib import AbstractContextManager
from typing import Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sos_ops.cli.console import console, parse_minute, print_json
from sos_ops.cli.database import url
from sos_ops.store.connection import Connection
from sos_ops.store.connection import connect as connect_to
from sos_ops.store.raw_registers import PointChange

app = typer.Typer(help="Readings of devices, and the raw registers they come from.", no_args_is_help=True)


@app.callback()
def _readings() -> None:
    """Keeps `decode` a command of its own."""


@app.command("decode")
def decode(
    first: Annotated[
        str, typer.Option("--from", help="First minute, ISO 8601, UTC unless it says otherwise.")
    ],
    until: Annotated[str, typer.Option("--to", help="Last minute.")],
    device: Annotated[str | None, typer.Option(help="Only this device.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Decode stored raw registers again, with the newest version of the map their device has now.

    Readings that differ are replaced and kept as revisions; so are those of points whose registers were not read (they
    become no values) and of points no longer in the map (they are removed). Engines analyse those minutes again.
    Results that counted already stay, as always: a different one is set aside. Doing it twice changes nothing.
    """
    from sos_ops.pipeline.decode_again import decode_again

    span = parse_minute(first), parse_minute(until)
    with Progress(
        TextColumn("decoding"), BarColumn(), MofNCompleteColumn(), TextColumn("device minutes"), TimeRemainingColumn(),
        console=console, disable=json,
    ) as progress:  # fmt: skip
        task = progress.add_task("decoding")
        report = decode_again(
            _connect,
            *span,
            device=device,
            dry_run=dry_run,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if json:
        print_json(report)
        return
    if report.points:
        console.print(_table(list(report.points.values())))
    for line in report.lines():
        console.print(escape(line))
    if not report.device_minutes:
        console.print("no raw registers are kept of these minutes (SOS_RAW_DAYS says how long they are)")


def _table(changes: list[PointChange]) -> Table:
    table = Table("point", "readings that differ", "new", "largest change", "such as", "which is now")
    for change in sorted(changes, key=lambda c: c.point):
        table.add_row(
            escape(change.point),
            str(change.changed),
            str(change.added),
            "-" if change.largest is None else f"{change.largest:g}",
            escape(change.before or "-"),
            escape(change.after or "-"),
        )
    return table


def _connect() -> AbstractContextManager[Connection]:
    return connect_to(url(), actor=getpass.getuser())
