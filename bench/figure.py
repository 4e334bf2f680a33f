"""A figure: our time beside another's in the same run, against the goal; and the table and file of all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    Attributes:
        work: what was done.
        ours_s: our seconds, a median.
        beside: what was measured beside it, and how.
        beside_s: its seconds.
        ratio: how often we are faster where the goal asks for that, else how often we take as long.
        goal: what is to be reached, in words.
        met: whether this run reached it.
    """

    work: str
    ours_s: float
    beside: str
    beside_s: float
    ratio: float
    goal: str
    met: bool


def times_faster(work: str, ours_s: float, beside: str, beside_s: float, *, least: float) -> Figure:
    """A figure whose goal is to be at least `least` times as fast as what is beside it."""
    ratio = beside_s / ours_s
    return Figure(work, ours_s, beside, beside_s, ratio, f">= {least:,.0f}x faster", ratio >= least)


def within_seconds(work: str, ours_s: float, beside: str, beside_s: float, *, most_s: float) -> Figure:
    """A figure whose goal is a median of at most `most_s` seconds; the ratio tells how it compares."""
    return Figure(
        work, ours_s, beside, beside_s, ours_s / beside_s, f"median <= {most_s:g} s", ours_s <= most_s
    )


def print_table(figures: Sequence[Figure], console: Console) -> None:
    """Prints the figures for a person."""
    table = Table("work", "ours", "beside it", "took", "ratio", "goal", "met", show_lines=True)
    for figure in figures:
        met = "[green]yes[/]" if figure.met else "[bold red]no[/]"
        table.add_row(
            figure.work,
            _seconds(figure.ours_s),
            figure.beside,
            _seconds(figure.beside_s),
            f"{figure.ratio:,.0f}x" if figure.ratio >= 10 else f"{figure.ratio:.2f}x",
            figure.goal,
            met,
        )
    console.print(table)


def write_json(figures: Sequence[Figure], path: Path) -> None:
    """Writes the figures for a program."""
    path.write_text(json.dumps([asdict(figure) for figure in figures], indent=2) + "\n", encoding="utf-8")


def _seconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"
