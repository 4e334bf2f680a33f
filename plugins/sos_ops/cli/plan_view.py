"""A plan for a person: its requests, what they keep clear of, and whether they fit a minute."""

from __future__ import annotations

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from sos_ops.cli.console import console
from sos_ops.modbus.map_head import AddressRange
from sos_ops.modbus.minute_budget import fit_sentence
from sos_ops.modbus.plan import Block, serial_seconds, summarise
from sos_ops.modbus.protocol_map import ProtocolMap


def print_plan(protocol_map: ProtocolMap, blocks: Sequence[Block], baud: int, turnaround_s: float) -> None:
    """Print the requests of a plan and how long they take on a line of `baud` bits per second."""
    table = Table("#", "function", "first register", "on the wire", "count", "points", "used", "wasted")
    for number, block in enumerate(blocks, 1):
        summary = summarise([block])
        table.add_row(
            str(number),
            f"{block.function.code} ({block.function})",
            str(_as_written(protocol_map, block.start)),
            f"{block.start} to {block.last}",
            str(block.count),
            str(len(block.points)),
            str(summary.registers_used),
            str(summary.registers_wasted),
        )
    console.print(table)
    total = summarise(blocks)
    console.print(
        f"map {protocol_map.name} version {protocol_map.version} ({protocol_map.addressing}): "
        f"{total.requests} requests read {total.points} points; "
        f"{total.registers_used} registers used, {total.registers_wasted} wasted"
    )
    for kind, ranges in (("denied", protocol_map.denied), ("unreadable", protocol_map.unreadable)):
        for one in ranges:
            console.print(escape(f"kept clear of: {_range(one)}, {kind}{f' ({one.why})' if one.why else ''}"))
    line_s = serial_seconds(blocks, baud, turnaround_s)
    pauses_s = float(protocol_map.pause_between_requests_s) * max(0, len(blocks) - 1)
    pauses = f" and {pauses_s:.1f} s of pauses between requests" if pauses_s else ""
    console.print(
        f"on a serial line of {baud} baud, {1000 * turnaround_s:g} ms of thinking per request: "
        f"{line_s:.1f} s{pauses}"
    )
    console.print(f"it {fit_sentence(line_s + pauses_s)}")


def _range(one: AddressRange) -> str:
    last = one.address + one.count - 1
    return f"{one.table} " + (
        f"register {one.address}" if one.count == 1 else f"registers {one.address} to {last}"
    )


def _as_written(protocol_map: ProtocolMap, wire: int) -> int:
    return wire - protocol_map.wire_address(0)
