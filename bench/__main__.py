"""`python -m bench`: measures every figure, prints the table, writes it to `bench/latest.json`."""

from __future__ import annotations

import signal
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import importing, many_sets, minute_latency, polling, validation
from bench.figure import Figure, print_table, write_json

LATEST = Path(__file__).parent / "latest.json"


class Row(StrEnum):
    """The measurements by the names `--only` takes."""

    SETS = "sets"
    POLLING = "polling"
    LATENCY = "latency"
    VALIDATION = "validation"
    IMPORT = "import"


def main(
    only: Annotated[
        list[Row] | None, typer.Option(help="Only this measurement; latest.json is then left alone.")
    ] = None,
    full: Annotated[
        bool, typer.Option("--full", help="The document's loop over all sets, not a sample.")
    ] = False,
    minutes: Annotated[int, typer.Option(min=3, help="How long the running platform is watched.")] = 6,
    rows: Annotated[int, typer.Option(min=1, help="Lines of the file that is imported.")] = importing.ROWS,
) -> None:
    """Measure the figures of the README's table. Takes about ten minutes; touches nothing of a running platform."""
    console = Console()

    def notice(line: str) -> None:
        console.print(line, style="dim", highlight=False)

    figures: list[Figure] = []
    for row in only or list(Row):
        console.rule(f"{row}")
        if row is Row.SETS:
            figures += many_sets.measure(notice, full=full)
        elif row is Row.POLLING:
            figures += polling.measure(notice)
        elif row is Row.VALIDATION:
            figures += validation.measure(notice)
        elif row is Row.IMPORT:
            figures += importing.measure(notice, rows=rows)
        else:
            figures += minute_latency.measure(notice, minutes=minutes)
    print_table(figures, console)
    if only is None:
        write_json(figures, LATEST)
        console.print(f"written to {LATEST}", highlight=False)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(143))  # so that what was started is ended
    typer.run(main)
