"""Partners: taking one on, its login, how it delivers, and taking it off again."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from sos_ops.cli.console import age, console, errors, print_json
from sos_ops.cli.database import connect, url, who
from sos_ops.clock import both_zones
from sos_ops.errors import SosOpsError, UnknownNameError

partner = typer.Typer(help="Institutions, each with one result table and one login.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="The partner's name.")]


@partner.command("add")
def partner_add(
    name: Annotated[str, typer.Argument(help="a-z, 0-9 and _, at most 31, a letter first.")],
) -> None:
    """Add a partner, or bring a retired one back: its table keti.NAME and its login. Prints the login's URL, once."""
    from sos_ops.store.catalogue import add_partner
    from sos_ops.store.logins import give_login, loose_ends

    with connect(who()) as connection:
        add_partner(connection, name)
        its_url = give_login(connection, name, url())
        lines = loose_ends(connection, name)
    _warn(lines)
    errors.print(escape(f"partner {name} may insert into keti.{name}; its connection URL, shown only now:"))
    sys.stdout.write(its_url + "\n")


@partner.command("new-password")
def partner_new_password(name: Name) -> None:
    """Give a partner a new password; the old one and its sessions end. Prints the login's URL, once."""
    from sos_ops.store.logins import end_sessions, give_login, loose_ends

    with connect(who()) as connection:
        its_url = give_login(connection, name, url())
        lines = loose_ends(connection, name)
    sys.stdout.write(its_url + "\n")
    _warn(lines)
    with connect() as connection:
        end_sessions(connection, name)


def _warn(lines: list[str]) -> None:
    for line in lines:
        errors.print(f"[yellow]{escape(line)}[/]")


@partner.command("retire")
def partner_retire(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", help="Do it: nothing watches these sets any more.")] = False,
) -> None:
    """End a partner's login and sessions, and retire its tags and the sets they belong to. Their history stays."""
    from sos_ops.store.catalogue import retire_partner, what_retires_with
    from sos_ops.store.logins import end_login, end_sessions

    with connect(who()) as connection:
        tags, sets = what_retires_with(connection, name)
        if not yes:
            raise SosOpsError(
                f"partner {name} has {len(tags)} tags, and {len(sets)} sets end with it"
                f"{': ' + ', '.join(map(str, sets[:20])) if sets else ''}; say --yes if that is meant"
            )
        retire_partner(connection, name)
        end_login(connection, name)
    with connect() as connection:
        end_sessions(connection, name)
    console.print(escape(f"partner {name} retired, with {len(tags)} tags and {len(sets)} sets"))


@partner.command("list")
def partner_list() -> None:
    """List the partners in use."""
    from sos_ops.store.catalogue import partner_names

    with connect() as connection:
        for name in partner_names(connection):
            sys.stdout.write(name + "\n")


@partner.command("health")
def partner_health(
    name: Annotated[str | None, typer.Argument(help="One partner only.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Show how partners deliver, tag by tag: rows a minute, lateness, share set aside, age of the last accepted row.

    Each figure is of the last hour / the last day, as housekeeping measured it last.
    """
    from sos_ops.store.catalogue import partner_names
    from sos_ops.store.clock import now
    from sos_ops.store.partner_health import Delivery, tags_health

    with connect() as connection:
        if name is not None and name not in partner_names(connection):
            raise UnknownNameError(
                f"no partner {name[:80]!r} in use: `sos-ops partner list` shows the known ones"
            )
        tags, at = tags_health(connection, name), now(connection)
    if json:
        print_json(tags)
        return

    def pair(of_hour: Delivery | None, of_day: Delivery | None, figure: str, form: str) -> str:
        values = [getattr(part, figure) if part else None for part in (of_hour, of_day)]
        return " / ".join("-" if value is None else format(value, form) for value in values)

    table = Table("partner", "tag", "rows a minute", "p50 s late", "p95 s late", "set aside", "last accepted")
    for tag in tags:
        old = None if tag.newest_accepted is None else (at - tag.newest_accepted).total_seconds()
        stale = old is None or old >= tag.max_age_s
        table.add_row(
            tag.partner,
            escape(tag.tag),
            pair(tag.hour, tag.day, "rows_per_minute", ".2f"),
            pair(tag.hour, tag.day, "lateness_p50_s", ".1f"),
            pair(tag.hour, tag.day, "lateness_p95_s", ".1f"),
            pair(tag.hour, tag.day, "share_set_aside", ".1%"),
            f"{'never' if old is None else age(old) + ' ago'}{' [bold magenta]STALE[/]' if stale else ''}",
        )
    console.print(table)
    measured = max((tag.measured_at for tag in tags if tag.measured_at), default=None)
    console.print(
        f"last hour / last day, measured {both_zones(measured)}" if measured else "not measured yet"
    )
