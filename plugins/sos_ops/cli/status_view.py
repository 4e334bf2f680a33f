"""`sos-ops status`: what runs, how old the data is, the sets by band, the worst first."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

from rich.markup import escape

from sos_ops.buffer.buffer import Buffer, BufferState
from sos_ops.cli.console import age, console, print_json
from sos_ops.cli.database import connect
from sos_ops.cli.sets_table import STALE_AFTER, is_stale, sets_table
from sos_ops.clock import both_zones
from sos_ops.safety.bands import Band
from sos_ops.settings import get_settings
from sos_ops.stack.supervision import NotRunningError, ProgramState, program_states
from sos_ops.store.doubtful import first_few
from sos_ops.store.partner_health import PartnerHealth, partners_health, tags_health
from sos_ops.store.set_aside import SetAside, set_aside
from sos_ops.store.status import DeviceStatus, PlatformStatus, read_status
from sos_ops.store.warning_requests import waiting_requests

WORST_SHOWN = 10
ASIDE_COUNTED = 10_000
DOUBTFUL_SHOWN = 4


def print_status(*, as_json: bool) -> None:
    """Prints the state of programs, data, devices and sets."""
    programs = _programs()
    buffer = Buffer.of(get_settings()).state()
    if not as_json:  # told before the database is asked: it may be away
        _print_programs(programs)
        _print_buffer(buffer)
    with connect() as connection:
        state = read_status(connection)
        partners = partners_health(tags_health(connection))
        waiting = waiting_requests(connection)
        aside = set_aside(connection, most=ASIDE_COUNTED)
    if as_json:
        print_json(
            {
                "programs": programs,
                "buffer": buffer,
                "platform": state,
                "partners": partners,
                "waiting_requests": waiting,
                "set_aside": {"waiting": len(aside), "dangerous": sum(one.u >= 1 for one in aside)},
            }
        )
        return
    _print_data(state)
    _print_partners(partners, state.at)
    _print_set_aside(aside)
    if waiting:
        console.print(
            f"[bold]{waiting} warning-change requests wait for a person[/]: `sos-ops requests list`"
        )
    _print_sets(state)


def _programs() -> list[ProgramState]:
    try:
        return program_states(get_settings())
    except NotRunningError:
        return []


def _print_programs(programs: list[ProgramState]) -> None:
    if not programs:
        console.print("programs: none run under this SOS_HOME (start them with `make up`)")
        return
    running = [p for p in programs if p.state == "RUNNING"]
    console.print(f"programs: {len(running)} of {len(programs)} run")
    for program in programs:
        if program.state != "RUNNING":
            console.print(f"  [bold red]{program.name}: {program.state}[/]")


def _print_buffer(buffer: BufferState) -> None:
    if buffer.files:
        console.print(
            f"[bold magenta]{buffer.minutes} minutes since {both_zones(buffer.oldest)} wait in the buffer for the"
            f" database[/] ({buffer.size / 1e6:.1f} of {buffer.limit / 1e6:.0f} MB)"
        )
    if buffer.set_aside:
        console.print(
            f"[bold red]{buffer.set_aside} files of the buffer could not be stored and were set aside[/]"
            f" ({escape(buffer.set_aside_folder)})"
        )


def _print_data(state: PlatformStatus) -> None:
    console.print(f"platform time {both_zones(state.at)}")
    if state.clock_is_set:
        console.print(
            "[bold magenta]the platform's clock is not the machine's: `sos-ops clock set --real`[/]"
        )
    for line in state.past_limit:
        console.print(f"[bold yellow]{escape(line)}[/]")
    if state.newest_decided is None:
        console.print("[bold magenta]no minute is decided yet[/]")
    else:
        old = state.at - state.newest_decided
        stale = " [bold magenta]STALE: no SoS arrives[/]" if old >= STALE_AFTER else ""
        console.print(
            f"newest decided minute {both_zones(state.newest_decided)}, {age(old.total_seconds())} ago{stale}"
        )
    for device in state.devices:
        good = (
            "never"
            if device.last_good is None
            else f"{age((state.at - device.last_good).total_seconds())} ago"
        )
        line = f"device {device.name}: {device.outcome or 'not polled yet'}, last readings {good}"
        console.print(escape(line + (f" ({device.reason})" if device.reason else "")))
        _print_doubts(device)
        for entry in device.quarantined:
            what = ", ".join(entry.points) or "a gap between points"
            where = f"{entry.function} {entry.start}" + (
                f" to {entry.start + entry.count - 1}" if entry.count > 1 else ""
            )
            console.print(
                escape(
                    f"  in quarantine: {what} ({where}: {entry.reason}), since {both_zones(entry.since)},"
                    f" asked again at {both_zones(entry.next_check)}"
                )
            )
    for slow in state.slow_gateways:
        console.print(
            f"gateway {escape(slow.gateway)} is slow since {both_zones(slow.since)}: its devices revise the minute"
        )


def _print_doubts(device: DeviceStatus) -> None:
    missing = f"{device.not_implemented} not implemented by the device"
    if device.doubtful:
        named = first_few([str(reading) for reading in device.doubtful], DOUBTFUL_SHOWN)
        line = f"{len(device.doubtful)} values doubtful: {named}" + (
            f"; {missing}" if device.not_implemented else ""
        )
        console.print(f"  [bold yellow]{escape(line)}[/]")
    elif device.not_implemented:
        console.print(f"  {missing}")


def _print_set_aside(aside: list[SetAside]) -> None:
    """What waits for a person; a second value past its threshold first: the one that counts may look safe."""
    if not aside:
        return
    count = f"{len(aside)}{' or more' if len(aside) == ASIDE_COUNTED else ''}"
    console.print(f"{count} results set aside wait for a person: `sos-ops quarantine list`")
    dangerous = [one for one in aside if one.u >= 1]
    if dangerous:
        worst = max(dangerous, key=lambda one: one.u)
        line = (
            f"  {len(dangerous)} of them are past the warning threshold, the worst {worst.tag} {worst.value:g} "
            f"(u = {worst.u:.1f}) of {both_zones(worst.timestamp)}: {worst.reason}"
        )
        console.print(f"[bold red]{escape(line)}[/]")


def _print_partners(partners: list[PartnerHealth], at: datetime) -> None:
    for partner in partners:
        if partner.oldest is None or partner.oldest.newest_accepted is None:
            newest = "nothing accepted yet"
        else:
            old = age((at - partner.oldest.newest_accepted).total_seconds())
            newest = f"every tag accepted within {old}, {partner.oldest.tag} longest ago"
            if partner.never:
                newest += f"; {partner.never} of {partner.tags} tags never"
        if partner.lateness_p50_s is None or partner.lateness_p95_s is None:
            came = "no rows in the hour measured" if partner.measured_at else "not measured yet"
        else:
            came = (
                f"{partner.rows_per_minute:.1f} rows a minute, late by {partner.lateness_p50_s:.0f} s (p50) and "
                f"{partner.lateness_p95_s:.0f} s (p95) at worst, {partner.share_set_aside or 0:.1%} set aside"
            )
        if partner.measured_at:  # housekeeping measures every 10 minutes, what is newest is of now
            came += f" (measured {age((at - partner.measured_at).total_seconds())} ago)"
        console.print(escape(f"partner {partner.partner}: {came}; {newest}"))


def _print_sets(state: PlatformStatus) -> None:
    counts = Counter(
        Band.UNKNOWN if point is None or is_stale(point, state.at) else point.band for _, point in state.sets
    )
    by_band = ", ".join(
        f"{counts[band]} {band}" for band in (Band.CRITICAL, Band.WARNING, Band.UNKNOWN, Band.SAFE)
    )
    shown = sets_table(list(state.sets[:WORST_SHOWN]), state.at)
    console.print(f"{len(state.sets)} sets: {by_band}; the worst:")
    console.print(shown)
