"""A device's address as a person gives it: one that can be, and that no other device has."""

from __future__ import annotations

import ipaddress
import re
import socket
import time
from collections.abc import Collection
from threading import Thread

from sos_ops.errors import SosOpsError
from sos_ops.store.connection import Connection

LOOK_UP_S = 3.0
"""How long names are looked up: a name that nobody answers for must not hold the command."""

_LABEL = re.compile(r"\w([\w-]{0,61}\w)?")


def checked_host(text: str) -> str:
    """The host, without the brackets of an IPv6 address.

    Raises:
        SosOpsError: it can be neither a name nor an address.
    """
    host = text.strip().removeprefix("[").removesuffix("]")
    if _is_address(host):
        return host
    if ":" in host:
        raise SosOpsError(f"--host {text!r} holds more than a host: give the TCP port with --port")
    if not _is_name(host):
        shown = text if len(text) <= 60 else f"{text[:57]}..."
        raise SosOpsError(f"--host {shown!r} is no host: give a name or an address, such as 10.0.0.5")
    return host


def _is_name(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        return False
    # A name that ends in a number is an IPv4 address gone wrong.
    return not labels[-1].isdecimal()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def refuse_taken_address(
    connection: Connection, host: str, port: int, unit_id: int, *, besides: str | None = None
) -> None:
    """Refuses what another device in use has: two of one unit count twice, two names of one gateway disturb each other.

    A host that cannot be looked up is no error: a device does not have to be on the line yet.

    Args:
        besides: the device itself, where it exists already.

    Raises:
        SosOpsError: another device answers there, or at another name of the same gateway.
    """
    from sos_ops.store.devices import devices

    others = [device for device in devices(connection) if device.port == port and device.name != besides]
    for other in others:
        if other.host.lower() == host.lower() and other.unit_id == unit_id:
            raise SosOpsError(f"device {other.name} is at {host} port {port} unit {unit_id} already")
    names = {other.host.lower() for other in others} - {host.lower()}
    if not names:
        return
    addresses = _look_up({host.lower(), *names})
    for other in others:
        theirs = other.host.lower()
        if theirs in names and addresses[host.lower()] & addresses[theirs]:
            raise SosOpsError(
                f"--host {host} is {other.host} of device {other.name}, port {port}, by another name: one gateway "
                f"takes one connection, so use the same name, --host {other.host}"
            )


def _look_up(hosts: Collection[str]) -> dict[str, frozenset[str]]:
    """The addresses of each host; none for one that cannot be looked up in time."""
    found: dict[str, frozenset[str]] = dict.fromkeys(hosts, frozenset())

    def look_up(host: str) -> None:
        try:
            entries = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return
        found[host] = frozenset(str(entry[4][0]) for entry in entries)

    threads = [Thread(target=look_up, args=(host,), daemon=True) for host in hosts]
    for thread in threads:
        thread.start()
    until = time.monotonic() + LOOK_UP_S
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return dict(found)
