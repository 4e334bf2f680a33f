"""Warning-change requests: what partners ask for, and a person's answer."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import timedelta
from math import isfinite
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from sos_ops.cli.console import console, print_json
from sos_ops.cli.database import connect, who
from sos_ops.errors import SosOpsError

requests = typer.Typer(help="Partners' requests for another warning threshold.", no_args_is_help=True)

Number = Annotated[int, typer.Argument(help="The request's number, see `sos-ops requests list`.")]
Why = Annotated[str, typer.Option("--why", help="The reason, kept with the decision.")]
By = Annotated[str | None, typer.Option("--by", help="Who decides (default: who runs this).")]


@requests.command("list")
def requests_list(
    everything: Annotated[
        bool, typer.Option("--all", help="Decided and ended ones too, newest first.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the requests that wait for a person."""
    from sos_ops.store.warning_requests import requests as read

    with connect() as connection:
        rows = read(connection, everything=everything)
    if json:
        # JSON has no NaN and no infinity; the reason names what was asked for.
        print_json([asdict(row) | ({} if isfinite(row.requested) else {"requested": None}) for row in rows])
        return
    table = Table(
        "request",
        "tag",
        "partner",
        "xL now",
        "asked for",
        "rows",
        "last asked (UTC)",
        "state",
        "reason",
        "by",
    )
    for row in rows:
        table.add_row(
            str(row.request),
            escape(row.tag),
            row.partner,
            f"{row.threshold_now:g}",
            f"{row.requested:.10g}",
            str(row.asked),
            f"{row.last_asked_at:%Y-%m-%d %H:%M:%S}",
            row.state,
            escape(row.reason),
            escape(row.decided_by or "-"),
        )
    console.print(table)


@requests.command("approve")
def requests_approve(request: Number, why: Why, by: By = None) -> None:
    """Put a requested threshold in force, as a new version of the tag's limits."""
    from sos_ops.store.warning_requests import approve

    decider = by or who()
    with connect(decider) as connection:
        version = approve(connection, request, by=decider, why=_meant(why))
    console.print(f"request {request} approved: limits version {version}")


@requests.command("reject")
def requests_reject(request: Number, why: Why, by: By = None) -> None:
    """Reject a request. The same wish is not put to a person again for a day."""
    from sos_ops.store.warning_requests import reject

    decider = by or who()
    with connect(decider) as connection:
        reject(connection, request, by=decider, why=_meant(why))
    console.print(f"request {request} rejected")


def _meant(why: str) -> str:
    if not why.strip():
        raise SosOpsError("--why is empty: say why, it is kept with the decision")
    return why.strip()


@requests.command("rules")
def requests_rules(
    tag: Annotated[str, typer.Argument(help="A tag in use.")],
    auto_tighten: Annotated[
        bool | None,
        typer.Option("--auto-tighten/--no-auto-tighten", help="Apply tightening without a person."),
    ] = None,
    nearest: Annotated[
        float | None, typer.Option(help="Threshold nearest to x100 that may be asked for.")
    ] = None,
    farthest: Annotated[float | None, typer.Option(help="Threshold farthest from x100.")] = None,
    default_bounds: Annotated[
        bool, typer.Option("--default-bounds", help="Back to a tenth of, and twice, the way from x100 to xL.")
    ] = False,
    min_interval: Annotated[
        int | None, typer.Option(help="Seconds from one applied request to the next.", min=0, max=31_536_000)
    ] = None,
) -> None:
    """Show how requests for a tag are judged, or change that."""
    from sos_ops.store.warning_requests import request_rules, set_request_rules

    if default_bounds and (nearest is not None or farthest is not None):
        raise SosOpsError("--default-bounds goes without --nearest and --farthest")
    with connect(who()) as connection:
        rules, _ = request_rules(connection, tag)
        wanted = replace(rules, nearest=None, farthest=None) if default_bounds else rules
        wanted = replace(
            wanted,
            nearest=wanted.nearest if nearest is None else nearest,
            farthest=wanted.farthest if farthest is None else farthest,
            auto_tighten=rules.auto_tighten if auto_tighten is None else auto_tighten,
            min_interval=rules.min_interval if min_interval is None else timedelta(seconds=min_interval),
        )
        if wanted != rules:
            set_request_rules(connection, tag, wanted)
        rules, (low, high) = request_rules(connection, tag)
    tightening = "is applied by rule" if rules.auto_tighten else "waits for a person"
    console.print(
        escape(
            f"{tag}: a threshold from {low:.10g} to {high:.10g} may be asked for; tightening {tightening}, "
            f"loosening waits for a person; after a change none for {rules.min_interval.total_seconds():g} s"
        )
    )
