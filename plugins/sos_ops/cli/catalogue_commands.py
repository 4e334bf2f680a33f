"""Configuring: tags and the clock."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from sos_ops.cli.console import console, print_json
from sos_ops.cli.database import connect, who
from sos_ops.clock import both_zones
from sos_ops.errors import SosOpsError
from sos_ops.safety.score import Limits

tag = typer.Typer(help="Analyses of partners, with their limits.", no_args_is_help=True)
clock = typer.Typer(help="The platform's clock (for tests and demonstrations).", no_args_is_help=True)

X100 = Annotated[float, typer.Option("--x100", help="Maximum safe value.")]
XL = Annotated[float, typer.Option("--xl", help="Warning threshold; below x100 for a lower limit.")]


def register(app: typer.Typer) -> None:
    """Adds the command groups of this module."""
    app.add_typer(tag, name="tag")
    app.add_typer(clock, name="clock")


@tag.command("add")
def tag_add(
    name: Annotated[str, typer.Argument(help="Bare at the default site, SITE/NAME elsewhere.")],
    partner_name: Annotated[str, typer.Option("--partner", help="Whose analysis it is.")],
    x100: X100,
    xl: XL,
    limit: Annotated[
        float, typer.Option("--limit", help="Upper safety limit L, the score at the threshold.")
    ] = 0.8,
    max_age: Annotated[
        int, typer.Option("--max-age", help="Seconds after which a result no longer counts.")
    ] = 180,
    max_count: Annotated[
        int, typer.Option("--max-count", help="MAX_COUNT, kept for the alarms to come.")
    ] = 2,
    action: Annotated[str | None, typer.Option(help="ACTION, kept for the control to come.")] = None,
    unit: Annotated[str | None, typer.Option(help="Unit of the value, for the page.")] = None,
    why: Annotated[str | None, typer.Option(help="Why these limits; kept with them.")] = None,
) -> None:
    """Add a tag with its first limits, which hold from the beginning of time."""
    from sos_ops.store.catalogue import add_tag

    limits = Limits(x100, xl, limit)
    with connect(who()) as connection:
        add_tag(
            connection, name, partner=partner_name, limits=limits, max_age_s=max_age, max_count=max_count,
            action=action, unit=unit, why=why,
        )  # fmt: skip
    console.print(escape(f"tag {name} of {partner_name} added"))


@tag.command("set")
def tag_set(
    name: Annotated[str, typer.Argument()],
    x100: Annotated[
        float | None, typer.Option("--x100", help="Maximum safe value; default: unchanged.")
    ] = None,
    xl: Annotated[float | None, typer.Option("--xl", help="Warning threshold; default: unchanged.")] = None,
    limit: Annotated[float | None, typer.Option("--limit", help="L; default: unchanged.")] = None,
    max_age: Annotated[int | None, typer.Option("--max-age", help="Seconds; default: unchanged.")] = None,
    max_count: Annotated[int | None, typer.Option("--max-count", help="Default: unchanged.")] = None,
    action: Annotated[str | None, typer.Option(help="Default: unchanged; empty: none.")] = None,
    why: Annotated[str | None, typer.Option(help="The reason, kept with the version.")] = None,
) -> None:
    """Give a tag a new version of its limits, from after the newest decided minute."""
    from sos_ops.store.catalogue import change_limits

    # The same checks as the database's, before it is asked, for the better sentence.
    for option, value in (("--x100", x100), ("--xl", xl)):
        if value is not None and not math.isfinite(value):
            raise SosOpsError(f"{option} must be a finite number, not {value}")
    if x100 is not None and xl is not None:
        Limits(x100, xl, 0.5 if limit is None else limit)
    with connect(who()) as connection:
        version = change_limits(
            connection, name, maximum_safe_value=x100, warning_threshold=xl, upper_safety_limit=limit,
            max_age_s=max_age, max_count=max_count, action=action, why=why,
        )  # fmt: skip
    console.print(escape(f"tag {name}: limits version {version}"))


@tag.command("checks")
def tag_checks(
    name: Annotated[str, typer.Argument()],
    plausible_low: Annotated[
        float | None, typer.Option("--plausible-low", help="Lowest believable value; -inf: none.")
    ] = None,
    plausible_high: Annotated[
        float | None, typer.Option("--plausible-high", help="Highest believable value; inf: none.")
    ] = None,
    max_rate: Annotated[
        float | None, typer.Option("--max-rate", help="Largest believable change a minute; inf: none.")
    ] = None,
    stuck_after: Annotated[
        float | None,
        typer.Option(
            "--stuck-after", help="Minutes after which an unchanged value of a noisy tag is stuck; inf: none."
        ),
    ] = None,
    why: Annotated[str | None, typer.Option(help="The reason, kept with the version.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show, or change from the next minute on, what is tested of a tag's results before they count.

    A result that fails is set aside, unless it points to danger: then it counts and is marked. None is set at first.
    """
    from sos_ops.store.checks import change_checks, tag_checks

    asked = {
        "plausible_low": plausible_low,
        "plausible_high": plausible_high,
        "max_rate": max_rate,
        "stuck_minutes": stuck_after,
    }
    with connect(who()) as connection:
        if any(value is not None for value in asked.values()):
            checks = change_checks(connection, name, **asked, why=why)
        elif why is not None:
            raise SosOpsError(
                "--why says why something is changed: say what, as --plausible-low or --max-rate"
            )
        else:
            checks = tag_checks(connection, name)
    if json:
        print_json(checks)
        return
    console.print(escape(f"tag {name}: {checks.told()}"))


@tag.command("history")
def tag_history(
    name: Annotated[str, typer.Argument()],
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List every version of a tag's limits, with who changed them, when and why."""
    from sos_ops.store.catalogue import limits_history

    with connect() as connection:
        rows = limits_history(connection, name)
    if json:
        print_json(rows)
        return
    table = Table(
        "version", "from (UTC)", "x100", "xL", "L", "max_age", "MAX_COUNT", "ACTION", "by", "at (UTC)", "why"
    )
    for row in rows:
        table.add_row(
            str(row.version),
            "the beginning" if row.valid_from is None else f"{row.valid_from:%Y-%m-%d %H:%M:%S}",
            f"{row.maximum_safe_value:g}",
            f"{row.warning_threshold:.10g}",
            f"{row.upper_safety_limit:.10g}",
            f"{row.max_age_s} s",
            str(row.max_count),
            escape(row.action or "-"),
            escape(row.changed_by),
            f"{row.changed_at:%Y-%m-%d %H:%M:%S}",
            escape(row.why),
        )
    console.print(table)


@tag.command("retire")
def tag_retire(
    name: Annotated[str, typer.Argument()],
    yes: Annotated[bool, typer.Option("--yes", help="Do it: nothing watches these sets any more.")] = False,
) -> None:
    """Retire a tag and every set it belongs to. Their history stays."""
    from sos_ops.store.catalogue import retire_tag, sets_of_tag

    with connect(who()) as connection:
        sets = sets_of_tag(connection, name)
        told = ", ".join(map(str, sets[:20])) + (" ..." if len(sets) > 20 else "")
        if sets and not yes:
            raise SosOpsError(f"{len(sets)} sets end with tag {name}: {told}; say --yes if that is meant")
        retire_tag(connection, name)
    console.print(escape(f"tag {name} retired" + (f", and with it the sets {told}" if sets else "")))


@tag.command("list")
def tag_list(
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the tags with their limits and newest value."""
    from sos_ops.store.page import tag_views

    with connect() as connection:
        rows = tag_views(connection)
    if json:
        print_json(rows)
        return
    table = Table("tag", "partner", "value", "x100", "xL", "L", "MAX_COUNT", "ACTION", "score now")
    for row in rows:
        table.add_row(
            escape(row.tag),
            row.partner,
            "-"
            if row.value is None
            else f"{row.value:g} {row.unit or ''}" + ("" if row.fresh else " (stale)"),
            f"{row.maximum_safe_value:g}",
            f"{row.warning_threshold:g}",
            f"{row.upper_safety_limit:.10g}",
            str(row.max_count),
            escape(row.action or "-"),
            "unknown" if row.score is None else f"{row.score:.4f}",
        )
    console.print(table)


@clock.command("show")
def clock_show() -> None:
    """Show platform time and how fast it runs."""
    from sos_ops.store.clock import now, read_clock

    with connect() as connection:
        console.print(f"{both_zones(now(connection))}, {read_clock(connection).rate:g} times real time")


@clock.command("set")
def clock_set(
    at: Annotated[
        str | None, typer.Option(help="Platform time now, ISO 8601 (default: goes on from where it is).")
    ] = None,
    rate: Annotated[
        float, typer.Option(help="How many times as fast as real time.", min=0.001, max=3600)
    ] = 1.0,
    real: Annotated[bool, typer.Option("--real", help="Back to the machine's own clock.")] = False,
) -> None:
    """Set the platform's clock. For tests and demonstrations: a jump leaves minutes that nobody polled."""
    from sos_ops.clock import system_now
    from sos_ops.store.clock import set_clock

    if real and (at is not None or rate != 1.0):
        raise SosOpsError("--real goes alone: the machine's own clock has no other time or rate")
    moment = system_now() if real else (_parse_time(at) if at else None)
    with connect() as connection:
        setting = set_clock(connection, platform_time=moment, rate=rate)
    console.print(f"{both_zones(setting.platform_anchor)}, {rate:g} times real time")


def _parse_time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise SosOpsError(f"{text!r} is no time: write it as 2026-03-01T00:14:00") from error
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
