"""`sos-ops import`: data sets from files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sos_ops.cli.console import console, print_json
from sos_ops.cli.database import connect
from sos_ops.clock import both_zones
from sos_ops.settings import get_settings

if TYPE_CHECKING:
    from sos_ops.imports.report import Report
    from sos_ops.pipeline.import_file import Preview

_SHOWN = 5


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command("import")(import_)


def import_(
    file: Annotated[Path, typer.Argument(help="CSV (.csv, .csv.gz) or Parquet (.parquet).")],
    mapping: Annotated[Path, typer.Option("--mapping", "-m", help="YAML file: what the columns mean.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Tell what would happen; store nothing.")
    ] = False,
    rows: Annotated[int, typer.Option(min=1, max=1_000_000, help="Rows that --dry-run looks at.")] = 1000,
    again: Annotated[
        bool,
        typer.Option("--again", help="Read a file again that was imported before, for rows refused then."),
    ] = False,
    chunk: Annotated[
        int,
        typer.Option("--chunk", min=1, max=1 << 26, help="Bytes of the file stored at once.", hidden=True),
    ] = 8 << 20,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Import a data set: BMS readings or a partner's results, with labels. Interrupted, the same command goes on.

    The same file twice changes nothing. Exit code 1 when anything was refused. See docs/importing-data.md.
    """
    from sos_ops.imports.mapping import load_mapping
    from sos_ops.pipeline.import_file import import_file, preview

    meaning = load_mapping(mapping)
    if dry_run:
        shown = preview(connect, file, meaning, rows=rows)
        if json:
            print_json(shown.report)
        else:
            _print_preview(shown)
        sys.exit(1 if shown.report.refused else 0)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TextColumn("{task.fields[lines]} lines"),
        TimeRemainingColumn(), console=console, disable=json or not console.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("importing", total=None, lines="0")

        def progress(position: int, size: int, lines: int) -> None:
            bar.update(task, completed=position, total=size, lines=f"{lines:,}")

        outcome = import_file(
            connect, file, meaning, folder=get_settings().home / "imports", again=again, chunk_bytes=chunk,
            progress=progress,
        )  # fmt: skip
    if json:
        print_json({"import_id": outcome.import_id, "before": outcome.before, **outcome.report.to_json()})
    else:
        if outcome.before:
            console.print(
                f"import {outcome.import_id} had all of this file already: nothing was done; it came to:"
            )
        _print_report(outcome.report.text())
        _print_next(outcome.report)
    sys.exit(1 if outcome.report.refused else 0)


def _print_report(lines: Sequence[str]) -> None:
    for line in lines:
        console.print(escape(line))


def _print_next(report: Report) -> None:
    if report.first_day is None or report.stored == 0:
        return
    what = (
        "validates and scores them" if report.kind == "results" else "runs the engines over them and scores"
    )
    console.print(f"`sos-ops backfill --from {report.first_day} --to {report.last_day}` {what}")


def _print_preview(shown: Preview) -> None:
    from sos_ops.store.binary_copy import from_micros

    if shown.converted is None or not len(shown.converted.values):
        console.print("a rehearsal: nothing was stored. There are no values to show")
        _print_report(shown.report.text())
        return
    values = shown.converted.values
    table = Table("line", "time", "tag" if shown.report.kind == "results" else "point", "value")
    for at in range(min(_SHOWN, len(values))):
        table.add_row(
            str(values.lines[at]),
            both_zones(from_micros(values.micros[at])),
            escape(shown.names[int(values.ids[at])]),
            f"{values.values[at]:g}",
        )
    console.print("a rehearsal: nothing was stored. The first values:")
    console.print(table)
    _print_report(shown.report.text())
