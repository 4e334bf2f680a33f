"""Configuring: partners, tags and the clock."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from sos_ops.cli.console import console, errors, print_json
from sos_ops.cli.database import connect, url
from sos_ops.clock import both_zones
from sos_ops.errors import SosOpsError
from sos_ops.safety.score import Limits

partner = typer.Typer(help="Institutions, each with one result table.", no_args_is_help=True)
tag = typer.Typer(help="Analyses of partners, with their limits.", no_args_is_help=True)
clock = typer.Typer(help="The platform's clock (for tests and demonstrations).", no_args_is_help=True)

X100 = Annotated[float, typer.Option("--x100", help="Maximum safe value.")]
XL = Annotated[float, typer.Option("--xl", help="Warning threshold; below x100 for a lower limit.")]


def register(app: typer.Typer) -> None:
    """Adds the command groups of this module."""
    app.add_typer(partner, name="partner")
    app.add_typer(tag, name="tag")
    app.add_typer(clock, name="clock")


@partner.command("add")
def partner_add(
    name: Annotated[str, typer.Argument(help="a-z, 0-9 and _, at most 31, a letter first.")],
) -> None:
    """Add a partner: its table keti.NAME and a login that may insert there. Prints the login's URL, once."""
    from sos_ops.store.catalogue import add_partner, give_login

    with connect() as connection:
        add_partner(connection, name)
        its_url = give_login(connection, name, url())
    errors.print(escape(f"partner {name} may insert into keti.{name}; its connection URL, shown only now:"))
    sys.stdout.write(its_url + "\n")


@partner.command("login")
def partner_login(name: Annotated[str, typer.Argument()]) -> None:
    """Give a partner a new password (the old one ends). Prints the login's URL, once."""
    from sos_ops.store.catalogue import give_login

    with connect() as connection:
        its_url = give_login(connection, name, url())
    sys.stdout.write(its_url + "\n")


@partner.command("list")
def partner_list() -> None:
    """List the partners."""
    from sos_ops.store.catalogue import partner_names

    with connect() as connection:
        for name in partner_names(connection):
            sys.stdout.write(name + "\n")


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
) -> None:
    """Add a tag with its first limits, which hold from the beginning of time."""
    from sos_ops.store.catalogue import add_tag

    limits = Limits(x100, xl, limit)
    with connect() as connection:
        add_tag(
            connection, name, partner=partner_name, limits=limits, max_age_s=max_age, max_count=max_count,
            action=action, unit=unit,
        )  # fmt: skip
    console.print(escape(f"tag {name} of {partner_name} added"))


@tag.command("set")
def tag_set(
    name: Annotated[str, typer.Argument()],
    x100: X100,
    xl: XL,
    limit: Annotated[float | None, typer.Option("--limit", help="L; default: unchanged.")] = None,
    max_age: Annotated[int | None, typer.Option("--max-age", help="Seconds; default: unchanged.")] = None,
    max_count: Annotated[int | None, typer.Option("--max-count", help="Default: unchanged.")] = None,
    action: Annotated[str | None, typer.Option(help="Default: unchanged; empty: none.")] = None,
) -> None:
    """Give a tag a new version of its limits, from after the newest decided minute."""
    from sos_ops.store.catalogue import change_limits

    # The same checks as the database's, before it is asked, for the better sentence.
    Limits(x100, xl, 0.5 if limit is None else limit)
    with connect() as connection:
        version = change_limits(
            connection, name, maximum_safe_value=x100, warning_threshold=xl, upper_safety_limit=limit,
            max_age_s=max_age, max_count=max_count, action=action,
        )  # fmt: skip
    console.print(escape(f"tag {name}: limits version {version}"))


@tag.command("retire")
def tag_retire(name: Annotated[str, typer.Argument()]) -> None:
    """Retire a tag and every set it belongs to. Their history stays."""
    from sos_ops.store.catalogue import retire_tag

    with connect() as connection:
        retire_tag(connection, name)
    console.print(escape(f"tag {name} retired"))


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
            f"{row.upper_safety_limit:g}",
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
