"""`sos-ops device`: the Modbus units that are polled, from adding to retiring."""

from __future__ import annotations

import getpass
import re
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from sos_ops.cli.between_polls import Guard, QuietWindow
from sos_ops.cli.console import console, errors, print_json
from sos_ops.cli.database import url
from sos_ops.cli.device_address import checked_host, refuse_taken_address
from sos_ops.clock import MINUTE, system_now
from sos_ops.errors import SosOpsError
from sos_ops.hooks.maps import is_file
from sos_ops.store.connection import Connection
from sos_ops.store.connection import connect as connect_to

if TYPE_CHECKING:
    from sos_ops.cli.device_feeds import Feeds

app = typer.Typer(help="Modbus units that are polled.", no_args_is_help=True)

Host = Annotated[str, typer.Option("--host", help="Name or address of the gateway.")]
Port = Annotated[int, typer.Option("--port", help="TCP port.", min=1, max=65535)]
Unit = Annotated[int, typer.Option("--unit", help="Modbus unit id behind the gateway.", min=0, max=255)]
Map = Annotated[
    str, typer.Option("--map", help="A protocol map's name, or a map's file (.yaml), which is stored.")
]
Name = Annotated[str, typer.Argument(help="The device's name.")]

NAME = r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}"
UNCHANGED = "default: unchanged."


@app.command("add")
def device_add(
    name: Annotated[
        str, typer.Argument(help="Letters, digits, _, . and -, at most 64, a letter or digit first.")
    ],
    host: Host,
    protocol_map: Map,
    port: Port = 502,
    unit: Unit = 1,
    site: Annotated[str, typer.Option("--site", help="The site it stands at.")] = "testbed",
) -> None:
    """Add a device. It is polled from the next minute on, and does not have to be on the line yet."""
    from sos_ops.store.devices import add_device

    if not re.fullmatch(NAME, name):
        raise SosOpsError(
            f"{name!r} is no device name: use letters, digits, _, . and -, at most 64, a letter or digit first"
        )
    host = checked_host(host)
    with _connect() as connection:
        before = _state(connection)
        map_name = _known_map(connection, protocol_map)
        if name not in before.feeds:  # else the name is what is wrong
            refuse_taken_address(connection, host, port, unit)
        add_device(
            connection, name=name, site=site, host=host, port=port, unit_id=unit, protocol_map=map_name
        )
        version = _version(connection, map_name)
        after = _state(connection)
    where = f"{_address(host, port)} unit {unit}"
    console.print(escape(f"device {name} added at {where}, map {map_name} version {version}, site {site}"))
    _print_effects(before, after, name)
    console.print(escape(f"now: sos-ops device test {name}"))


@app.command("set")
def device_set(
    name: Name,
    host: Annotated[str | None, typer.Option("--host", help=f"Name or address; {UNCHANGED}")] = None,
    port: Annotated[
        int | None, typer.Option("--port", help=f"TCP port; {UNCHANGED}", min=1, max=65535)
    ] = None,
    unit: Annotated[int | None, typer.Option("--unit", help=f"Unit id; {UNCHANGED}", min=0, max=255)] = None,
    protocol_map: Annotated[
        str | None, typer.Option("--map", help=f"A map's name or file; {UNCHANGED}")
    ] = None,
    site: Annotated[str | None, typer.Option("--site", help=f"The site; {UNCHANGED}")] = None,
) -> None:
    """Change where a device answers or with which map it is read, from its next poll on. Its history stays with it."""
    from sos_ops.store.devices import change_device

    if all(one is None for one in (host, port, unit, protocol_map, site)):
        raise SosOpsError("nothing to change: give --host, --port, --unit, --map or --site")
    new_host = None if host is None else checked_host(host)
    with _connect() as connection:
        before = _state(connection)
        map_name = None if protocol_map is None else _known_map(connection, protocol_map)
        device = change_device(
            connection, name, site=site, host=new_host, port=port, unit_id=unit, protocol_map=map_name
        )
        if not (host is None and port is None and unit is None):
            refuse_taken_address(connection, device.host, device.port, device.unit_id, besides=name)
        version = _version(connection, device.protocol_map)
        after = _state(connection)
    where = f"{_address(device.host, device.port)} unit {device.unit_id}"
    console.print(
        escape(f"device {name}: {where}, map {device.protocol_map} version {version}, site {device.site}")
    )
    _print_effects(before, after, name)
    console.print(escape(f"now: sos-ops device test {name}"))


@app.command("retire")
def device_retire(name: Name) -> None:
    """End the polling of a device. Its minutes end here, its history stays, and its name may be used again."""
    from sos_ops.cli.device_feeds import feeds_of_devices, losses
    from sos_ops.store.devices import retire_device

    with _connect() as connection:
        before = feeds_of_devices(connection)
        retire_device(connection, name)
        after = feeds_of_devices(connection)
    said = "; ".join(losses(before, after)) or "it fed no tag"
    console.print(escape(f"device {name} retired: {said}"))


@app.command("list")
def device_list(
    json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """List the devices: map, lane of the minute, tags it feeds, registers in quarantine, newest poll."""
    from sos_ops.cli.device_table import device_rows, device_table

    with _connect() as connection:
        rows = device_rows(connection)
    if json:
        print_json(rows)
    elif rows:
        console.print(device_table(rows))
    else:
        console.print("no devices: sos-ops device add NAME --host HOST --map MAP")


@app.command("test")
def device_test(
    name: Name,
    at_once: Annotated[
        bool, typer.Option("--now", help="Ask at once, though the platform may be polling the gateway.")
    ] = False,
    samples: Annotated[
        int, typer.Option("--samples", help="How often everything is read.", min=1, max=60)
    ] = 3,
    pause: Annotated[
        float, typer.Option("--pause", help="Seconds between two requests.", min=0, max=10)
    ] = 0.1,
    every_point: Annotated[
        bool, typer.Option("--every-point", help="Read every point singly as well, not only some.")
    ] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Show every point.")] = False,
) -> None:
    """Probe a device with its map: what answers, and whether its values make sense. Read-only.

    While the platform polls the gateway, it waits for the seconds between two polls. Ends with 0 when all is well,
    1 when something is wrong, 2 when the device cannot be reached.
    """
    from sos_ops.cli.device_table import device_row
    from sos_ops.cli.probe_view import print_probe
    from sos_ops.modbus.poll import DeviceAddress
    from sos_ops.modbus.probe import probe_device
    from sos_ops.store.devices import device_named
    from sos_ops.store.gateways import Gateway
    from sos_ops.store.maps import ensure_map

    with _connect() as connection:
        device = device_named(connection, name)
        row = device_row(connection, device)
        its_map = ensure_map(connection, device.protocol_map).protocol_map
    guard: Guard | None = None
    if row.is_polled and not at_once:
        window = QuietWindow.of(Gateway(device.host.lower(), device.port), whole_minute=row.lane != "quick")
        guard = _wait_for(window)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=errors, transient=True) as bar:
        task = bar.add_task(escape(f"asking {name}"), total=None)

        def on_progress(asked: int, expected: int) -> None:
            if guard is not None:
                guard(asked, expected)
            bar.update(task, completed=asked, total=expected)

        address = DeviceAddress(device.name, device.host, device.port, device.unit_id)
        report = probe_device(
            address, its_map, samples=samples, pause_s=pause, every_point=every_point, on_progress=on_progress
        )
    print_probe(report, show_all=show_all)
    raise typer.Exit(report.exit_code)


def _connect() -> AbstractContextManager[Connection]:
    """Maps keep who added them."""
    return connect_to(url(), actor=getpass.getuser())


def _wait_for(window: QuietWindow) -> Guard:
    wait_s = window.wait_s(system_now())
    if wait_s:
        text = f"waiting {wait_s:.0f} s: the platform is polling {window.gateway}"
        with errors.status(escape(text)):
            while wait_s := window.wait_s(system_now()):
                time.sleep(min(wait_s, MINUTE.total_seconds()))
    return window.opened(system_now)


class _State(NamedTuple):
    """What a change of a device or map is compared with."""

    feeds: dict[str, Feeds]
    versions: dict[str, tuple[str, int]]
    """Map and its version that each device is read with; devices whose map is not stored are left out."""


def _state(connection: Connection) -> _State:
    from sos_ops.cli.device_feeds import feeds_of_devices
    from sos_ops.store.devices import devices
    from sos_ops.store.maps import newest_maps

    known = devices(connection)
    maps = newest_maps(connection, {device.protocol_map for device in known})
    versions = {
        device.name: (device.protocol_map, maps[device.protocol_map].protocol_map.version)
        for device in known
        if device.protocol_map in maps
    }
    return _State(feeds_of_devices(connection), versions)


def _print_effects(before: _State, after: _State, name: str) -> None:
    """Says which tags the device feeds, and what else changes with it: others that its map reads, tags it leaves."""
    from sos_ops.cli.device_feeds import losses

    _print_feeds(name, after.feeds[name])
    others = [
        other
        for other, version in before.versions.items()
        if other != name and after.versions.get(other, version) != version
    ]
    if others:
        map_name, version = after.versions[others[0]]
        console.print(escape(f"map {map_name} version {version} now reads {', '.join(others)} too"))
    for other in others:
        if before.feeds[other] != after.feeds[other]:
            _print_feeds(other, after.feeds[other])
    for line in losses(before.feeds, after.feeds):
        console.print(escape(f"warning: {line}"), style="yellow")


def _print_feeds(name: str, feeds: Feeds) -> None:
    text = f"{name} {feeds.text()}"
    if feeds.is_complete:
        console.print(escape(text))
    else:
        console.print(escape(f"warning: {text}"), style="yellow")


def _known_map(connection: Connection, name_or_file: str) -> str:
    """The map's name; a file is checked and stored first. One older than what is stored would not be read with."""
    from sos_ops.modbus.protocol_map import load_map
    from sos_ops.store.maps import ensure_map, newest_maps, save_map

    if not is_file(name_or_file):
        return ensure_map(connection, name_or_file).protocol_map.name
    protocol_map = load_map(Path(name_or_file).expanduser())
    name, version = protocol_map.name, protocol_map.version
    stored = newest_maps(connection, [name])
    if name in stored and (newest := stored[name].protocol_map.version) > version:
        raise SosOpsError(
            f"{name_or_file}: map {name} version {version} is older than version {newest}, which is stored and counts: "
            f"raise the version to {newest + 1}, or give --map {name} for version {newest}"
        )
    save_map(connection, protocol_map)
    return name


def _version(connection: Connection, map_name: str) -> int:
    from sos_ops.store.maps import newest_map

    return newest_map(connection, map_name).protocol_map.version


def _address(host: str, port: int) -> str:
    from sos_ops.store.gateways import Gateway

    return str(Gateway(host, port))
