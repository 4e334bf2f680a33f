"""The commands that start, end and look at the stack."""

from __future__ import annotations

import os
import shlex
import sys
from typing import Annotated

import typer
from rich.table import Table

from sos_ops.cli.console import console
from sos_ops.settings import get_settings
from sos_ops.stack.airflow_config import airflow_environment, write_airflow_files
from sos_ops.stack.layout import layout
from sos_ops.stack.programs import BMS, programs
from sos_ops.stack.secrets import load_or_create
from sos_ops.stack.supervision import program_states, start_program, stop_program
from sos_ops.stack.up import down as end_stack
from sos_ops.stack.up import up as run_stack

stack_app = typer.Typer(help="The programs of the platform.", no_args_is_help=True)
"""`up`, `down` and `ps`, for the top level."""
demo_app = typer.Typer(help="The simulated site.", no_args_is_help=True)
"""To be mounted as `demo`."""
bms_app = typer.Typer(help="The simulated BMS, on and off the line.", no_args_is_help=True)
demo_app.add_typer(bms_app, name="bms")
airflow_app = typer.Typer(help="Airflow's login and command line.", no_args_is_help=True)
"""To be mounted as `airflow`."""


@stack_app.command()
def up() -> None:
    """Start everything in the foreground; Ctrl-C ends it."""
    raise typer.Exit(run_stack(get_settings(), console))


@stack_app.command()
def down() -> None:
    """End what `up` started, from another terminal."""
    settings = get_settings()
    ended = end_stack(settings)
    typer.echo("Everything is ended." if ended else f"Nothing was running under {settings.home}.")


@stack_app.command()
def ps() -> None:
    """Show the programs and how they are doing."""
    settings = get_settings()
    titles = {item.name: item.title for item in programs(settings)}
    table = Table("what", "program", "state", "process", "for", box=None)
    for state in program_states(settings):
        pid = str(state.pid or "")
        table.add_row(titles[state.name], state.name, state.state.lower(), pid, _for(state.uptime_s))
    console.print(table)
    console.print(f"Logs: {layout(settings).logs}", soft_wrap=True, highlight=False)


def _for(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


@bms_app.command("stop")
def bms_stop() -> None:
    """Take the simulated BMS off the line."""
    stop_program(get_settings(), BMS)
    typer.echo("The simulated BMS is off the line; `sos-ops demo bms start` brings it back.")


@bms_app.command("start")
def bms_start() -> None:
    """Bring the simulated BMS back on the line."""
    start_program(get_settings(), BMS)
    typer.echo("The simulated BMS is on the line.")


@airflow_app.command("password")
def airflow_password() -> None:
    """Print the password of Airflow's user `admin`."""
    typer.echo(load_or_create(get_settings()).airflow_admin_password)


@airflow_app.command("env")
def airflow_env() -> None:
    """Print the environment for the `airflow` command: eval "$(sos-ops airflow env)"."""
    for name, value in airflow_environment(get_settings()).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@airflow_app.command("run", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def airflow_run(arguments: Annotated[list[str], typer.Argument(help="What follows `airflow`.")]) -> None:
    """Run the `airflow` command in the platform's environment: sos-ops airflow run -- dags list."""
    settings = get_settings()
    layout(settings).create()
    write_airflow_files(settings)
    environment = {**os.environ, **airflow_environment(settings)}
    os.execve(sys.executable, [sys.executable, "-m", "airflow", *arguments], environment)  # noqa: S606
