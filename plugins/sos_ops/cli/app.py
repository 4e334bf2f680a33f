"""`sos-ops`: the platform's command line. Errors are one line that says what to do."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from sos_ops.cli import (
    catalogue_commands,
    device_commands,
    import_commands,
    minute_commands,
    modbus_commands,
    partner_commands,
    readings_commands,
    request_commands,
    set_aside_commands,
    stack_commands,
)
from sos_ops.cli.console import console, errors, print_json, visible
from sos_ops.cli.database import libpq_environment, url
from sos_ops.errors import SosOpsError

app = typer.Typer(
    name="sos-ops",
    help="State of Safety of battery energy storage: run the platform, look into it, explain it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

db = typer.Typer(help="The platform's database.", no_args_is_help=True)
app.add_typer(db, name="db")
app.add_typer(stack_commands.stack_app)
app.add_typer(stack_commands.demo_app, name="demo")
app.add_typer(stack_commands.airflow_app, name="airflow")
app.add_typer(modbus_commands.app, name="modbus")
app.add_typer(device_commands.app, name="device")
app.add_typer(readings_commands.app, name="readings")
app.add_typer(partner_commands.partner, name="partner")
app.add_typer(request_commands.requests, name="requests")
app.add_typer(set_aside_commands.quarantine, name="quarantine")
minute_commands.register(app)
catalogue_commands.register(app)
import_commands.register(app)


@db.command("url")
def db_url() -> None:
    """Print the database URL (it holds the password)."""
    sys.stdout.write(url() + "\n")


@db.command("psql", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def db_psql(context: typer.Context) -> None:
    """Open psql on the database; further arguments are psql's own."""
    from sos_ops.stack.embedded_postgres import binaries

    program = str(binaries() / "psql")
    # Not on the command line, where every user of the machine could read the password.
    environment = {**os.environ, **libpq_environment(url())}
    os.execve(program, [program, *context.args], environment)  # noqa: S606  # psql takes this process's place


@db.command("migrate")
def db_migrate(
    json: Annotated[bool, typer.Option("--json", help="Print the applied revisions as JSON.")] = False,
) -> None:
    """Bring the database to this version's schema."""
    from sos_ops.store.migrate import migrate

    applied = migrate(url())
    if json:
        print_json(applied)
    else:
        console.print(f"applied: {', '.join(applied)}" if applied else "the schema is up to date")


def main() -> None:
    """Entry point: a refusal is one line on standard error and exit code 1."""
    try:
        app()
    except SosOpsError as error:
        errors.print(f"[red]sos-ops:[/] {visible(str(error)).replace('[', chr(92) + '[')}")
        sys.exit(1)
