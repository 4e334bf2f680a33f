"""`sos-ops modbus`: the workbench of whoever connects a BMS. Maps, plans, simulated and real devices."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from sos_ops.cli.console import console, errors
from sos_ops.cli.probe_view import print_probe
from sos_ops.errors import DatabaseUnavailableError, InvalidConfigurationError, SosOpsError, UnknownNameError

if TYPE_CHECKING:
    from sos_ops.modbus.protocol_map import ProtocolMap
    from sos_ops.modbus.simulator.map_server import Simulation
    from sos_ops.store.maps import MapVersion

__all__ = ["app", "print_probe"]

app = typer.Typer(help="Protocol maps, and devices simulated or probed with them.", no_args_is_help=True)

MapArgument = Annotated[str, typer.Argument(metavar="MAP", help="A map's name, or a map's file (.yaml).")]
Unit = Annotated[int, typer.Option("--unit", help="Modbus unit id.", min=0, max=255)]
Turnaround = Annotated[
    float, typer.Option("--turnaround", help="Seconds a device thinks before it answers.", min=0, max=10)
]


@app.command("maps")
def modbus_maps() -> None:
    """List the maps that come with the platform, and those stored in its database."""
    from sos_ops.modbus.plan import plan_blocks
    from sos_ops.modbus.protocol_map import bundled_map, bundled_map_names

    table = Table("map", "version", "points", "requests", "what it is", title="come with the platform")
    for name in bundled_map_names():
        its_map = bundled_map(name)
        table.add_row(
            name,
            str(its_map.version),
            str(len(its_map.points)),
            str(len(plan_blocks(its_map))),
            escape(its_map.description),
        )
    console.print(table)
    try:
        stored = _stored_versions()
    except SosOpsError as error:
        console.print(escape(f"stored maps are not shown: {error}"))
        return
    table = Table("map", "version", "devices", "added by", "added at", title="stored in the database")
    for one in stored:
        table.add_row(
            one.name,
            str(one.version),
            str(one.devices),
            escape(one.added_by),
            f"{one.added_at:%Y-%m-%d %H:%M}",
        )
    console.print(table)


@app.command("schema")
def modbus_schema(
    path: Annotated[bool, typer.Option("--path", help="Print where it lies instead.")] = False,
) -> None:
    """Print the JSON schema of map files, for editors. The first line of a map may name it: see the docs."""
    from sos_ops.modbus.map_schema import SCHEMA_FILE, schema_text

    sys.stdout.write(f"{SCHEMA_FILE}\n" if path else schema_text())


@app.command("check")
def modbus_check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A map's file.")],
) -> None:
    """Say whether a map's file is valid, and what is in it."""
    from sos_ops.modbus.plan import plan_blocks
    from sos_ops.modbus.protocol_map import load_map

    its_map = load_map(file)
    console.print(
        escape(
            f"{file}: valid; map {its_map.name} version {its_map.version}, {len(its_map.points)} points in "
            f"{len(plan_blocks(its_map))} requests, {len(its_map.writable_points)} writable"
        )
    )


@app.command("plan")
def modbus_plan(
    name: MapArgument,
    max_registers: Annotated[
        int | None, typer.Option("--max-registers", help="Most registers of a request; default: the map's.")
    ] = None,
    max_gap: Annotated[
        int | None, typer.Option("--max-gap", help="Most registers read along; default: the map's.")
    ] = None,
    baud: Annotated[
        int, typer.Option("--baud", help="Bits per second of the serial line.", min=300, max=4_000_000)
    ] = 9600,
    turnaround: Turnaround = 0.05,
) -> None:
    """Show the requests that read a map, and whether they fit a minute on a serial line."""
    from sos_ops.cli.plan_view import print_plan
    from sos_ops.modbus.plan import plan_blocks

    its_map = find_map(name)
    blocks = plan_blocks(its_map, max_registers=max_registers, max_gap=max_gap)
    print_plan(its_map, blocks, baud, turnaround)


@app.command("probe")
def modbus_probe(
    host: Annotated[str, typer.Argument(metavar="HOST", help="Name or address of the device or converter.")],
    name: MapArgument,
    port: Annotated[int, typer.Option("--port", help="TCP port.", min=1, max=65535)] = 502,
    unit: Unit = 1,
    samples: Annotated[
        int, typer.Option("--samples", help="How often everything is read.", min=1, max=1000)
    ] = 3,
    pause: Annotated[
        float, typer.Option("--pause", help="Seconds between two requests.", min=0, max=60)
    ] = 0.1,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds an answer may take.", min=0.1, max=60)
    ] = 3.0,
    every_point: Annotated[
        bool, typer.Option("--every-point", help="Read every point singly as well, not only some.")
    ] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Show every point.")] = False,
) -> None:
    """Ask a real device whether a map is right for it. Read-only, one request at a time.

    Ends with 0 when all is well, 1 when something is wrong, 2 when the device cannot be reached.
    """
    from sos_ops.modbus.poll import DeviceAddress
    from sos_ops.modbus.probe import probe_device

    its_map = find_map(name)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task(escape(f"asking {host}"), total=None)
        report = probe_device(
            DeviceAddress(host, host, port, unit),
            its_map,
            samples=samples,
            pause_s=pause,
            request_timeout_s=timeout,
            every_point=every_point,
            on_progress=lambda done, expected: bar.update(task, completed=done, total=expected),
        )
    print_probe(report, show_all=show_all)
    raise typer.Exit(report.exit_code)


@app.command("faults")
def modbus_faults() -> None:
    """List the faults that `simulate` can show."""
    from sos_ops.modbus.simulator.faults import KINDS, example_of

    table = Table("fault", "what happens", "whom it hits")
    for fault, kind in KINDS.items():
        whom = "requests, by probability and register" if kind.on_the_wire else "the device, always"
        table.add_row(example_of(fault), kind.does, whom)
    console.print(table)
    console.print(escape("NAME[:ARGUMENT][@FIRST[-LAST]][:PROBABILITY], e.g. late:2:0.1 or exception:2@1004"))


@app.command("simulate")
def modbus_simulate(
    name: MapArgument,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", help="TCP port; 0 takes a free one.", min=0, max=65535)
    ] = 5502,
    unit: Unit = 1,
    seed: Annotated[int, typer.Option("--seed", help="Which values, and which requests are hit.")] = 0,
    values: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="POINT=VALUE", help="Let a point show a value, in its unit."),
    ] = None,
    faults: Annotated[
        list[str] | None,
        typer.Option("--fault", metavar="FAULT", help="What goes wrong: `sos-ops modbus faults` lists it."),
    ] = None,
    baud: Annotated[
        int | None,
        typer.Option("--baud", help="Pace answers as a serial line behind one converter.", min=300),
    ] = None,
    turnaround: Turnaround = 0.05,
    range_check: Annotated[
        bool, typer.Option(help="Refuse to write what is outside a writable point's limits.")
    ] = True,
) -> None:
    """Serve any map as a device until Ctrl-C: plausible values that move slowly, and faults on request."""
    from sos_ops.modbus.simulator.faults import parse_faults
    from sos_ops.modbus.simulator.map_server import Simulation

    its_map = find_map(name)
    simulation = Simulation(
        its_map,
        unit_id=unit,
        seed=seed,
        values=dict(_assignment(text, its_map) for text in values or []),
        faults=parse_faults(faults or []),
        baud=baud,
        turnaround_s=turnaround,
        range_check=range_check,
    )
    asyncio.run(_serve(simulation, host, port))


def find_map(name: str) -> ProtocolMap:
    """The map of a file, or of a name: the newest in the platform's database, else the one that was shipped.

    The database goes first because the platform's polls read with what is there: a map that was mended is meant.

    Raises:
        InvalidConfigurationError: The file cannot be used.
        UnknownNameError: There is no such map.
    """
    from sos_ops.modbus.protocol_map import bundled_map, bundled_map_names, load_map

    if name.endswith((".yaml", ".yml")) or "/" in name:
        return load_map(Path(name).expanduser())
    try:
        return _stored_map(name)
    except SosOpsError as error:
        if name not in bundled_map_names():
            raise UnknownNameError(
                f"no protocol map {name!r}; there are: {', '.join(bundled_map_names())}; "
                "a file's name ends in .yaml, and `sos-ops modbus maps` lists the stored ones"
            ) from None
        if isinstance(error, DatabaseUnavailableError):
            errors.print(f"[dim]the platform's database does not answer: {name} as it was shipped[/]")
        return bundled_map(name)


def _stored_map(name: str) -> ProtocolMap:
    from sos_ops.cli.database import connect
    from sos_ops.store.maps import newest_map

    with connect() as connection:
        return newest_map(connection, name).protocol_map


def _stored_versions() -> list[MapVersion]:
    from sos_ops.cli.database import connect
    from sos_ops.store.maps import stored_maps

    with connect() as connection:
        return stored_maps(connection)


def _assignment(text: str, its_map: ProtocolMap) -> tuple[str, float]:
    point, found, value = text.partition("=")
    try:
        number = float(value)
    except ValueError:
        found = ""
    if not found:
        raise InvalidConfigurationError(f"--set {text}: write POINT=VALUE, e.g. max_cell_temperature=51.5")
    return its_map.point(point.strip()).name, number


async def _serve(simulation: Simulation, host: str, port: int) -> None:
    from sos_ops.modbus.plan import plan_blocks, summarise
    from sos_ops.modbus.simulator.map_server import MapServer

    server = MapServer(simulation)
    await server.listen(host, port)
    its_map = simulation.protocol_map
    total = summarise(plan_blocks(its_map))
    lines = [
        f"serving map {its_map.name} version {its_map.version} at {host}:{server.port} unit {simulation.unit_id}: "
        f"{total.points} points in {total.registers_used} registers; Ctrl-C ends it"
    ]
    lines += [
        f"writable: {one.name} at holding register {one.address}, shown by {one.readback}"
        for one in its_map.writable_points
    ]
    lines += [f"fault: {fault}" for fault in simulation.faults]
    if simulation.baud is not None:
        lines.append(f"paced as a line of {simulation.baud} baud")
    for line in lines:
        # Whoever started it as a process reads the port from here.
        console.print(escape(line))
    console.file.flush()
    server.on_write = lambda name, value: console.print(escape(f"written: {name} = {value:g}"))
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, ended.set)
    await ended.wait()
    await server.close()
    console.print(f"{server.requests} requests answered")
