"""`sos-ops quarantine`: results that were set aside, and deciding about them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from sos_ops.cli.console import console, print_json
from sos_ops.cli.database import connect, who
from sos_ops.clock import both_zones
from sos_ops.errors import SosOpsError

if TYPE_CHECKING:
    from sos_ops.store.set_aside import Decided

quarantine = typer.Typer(help="Results that were set aside.", no_args_is_help=True)

MOST = 1000

Numbers = Annotated[list[int], typer.Argument(help="Numbers, see `sos-ops quarantine list`.")]
Why = Annotated[str, typer.Option("--why", help="The reason; kept with your name.")]


@quarantine.command("list")
def quarantine_list(
    partner: Annotated[str | None, typer.Option(help="Only this partner's.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only this tag's.")] = None,
    since: Annotated[str | None, typer.Option(help="Only from this TIMESTAMP on, ISO 8601, UTC.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List what was set aside and nobody has decided about, oldest first."""
    from sos_ops.store.set_aside import set_aside

    with connect() as connection:
        rows = set_aside(connection, partner=partner, tag=tag, since=_time(since), most=MOST)
    if json:
        print_json(rows)
        return
    table = Table("number", "partner", "tag", "TIMESTAMP", "value (u)", "stands (u)", "reason")
    for row in rows:
        table.add_row(
            str(row.set_aside_id),
            row.partner,
            escape(row.tag),
            both_zones(row.timestamp),
            _deep(row.value, row.u),
            "-" if row.stands is None or row.u_stands is None else _deep(row.stands, row.u_stands),
            escape(row.reason),
        )
    console.print(table if rows else "nothing is set aside that waits for a decision")
    if len(rows) == MOST:
        console.print(f"only the oldest {MOST}: narrow it with --partner, --tag or --since")


@quarantine.command("accept")
def quarantine_accept(numbers: Numbers, why: Why) -> None:
    """Let set-aside results count. A second value for a TIMESTAMP takes the place of the first, which moves aside."""
    from sos_ops.store.set_aside import accept

    with connect(actor=who()) as connection:
        decided = accept(connection, numbers, why)
    for one in decided:
        console.print(escape(f"{_told(one)} counts{_moved(one)}"))
    console.print(
        "their minutes are decided again: the last five by the next run, older ones within 15 minutes"
    )


@quarantine.command("reject")
def quarantine_reject(numbers: Numbers, why: Why) -> None:
    """Leave set-aside results aside for good."""
    from sos_ops.store.set_aside import reject

    with connect(actor=who()) as connection:
        decided: Sequence[Decided] = reject(connection, numbers, why)
    for one in decided:
        console.print(escape(f"{_told(one)} stays aside"))


def _told(one: Decided) -> str:
    return f"{one.set_aside_id}: {one.tag} {one.value:g} (u = {one.u:.2f}) of {both_zones(one.timestamp)}"


def _moved(one: Decided) -> str:
    if one.replaced is None or one.u_replaced is None:
        return ""
    moved = f"; {one.replaced:g} (u = {one.u_replaced:.2f}) moved aside as number {one.replaced_id}"
    if one.u_replaced > one.u:
        # Whoever made a minute look safer is told so, and how to take it back.
        undo = f"`sos-ops quarantine accept {one.replaced_id}` undoes it"
        moved += f". THE NEW VALUE LOOKS SAFER THAN THE ONE IT REPLACES: {undo}"
    return moved


def _deep(value: float, u: float) -> str:
    told = f"{value:g} ({u:.1f})"
    return f"[bold red]{told}[/]" if u >= 1 else told


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SosOpsError(f"{text!r} is no time: write it as 2026-03-01T00:14") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
