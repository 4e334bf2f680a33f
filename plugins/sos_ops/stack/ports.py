"""The stack's TCP ports on 127.0.0.1, checked before anything is started."""

from __future__ import annotations

import errno
import socket

from sos_ops.errors import InvalidConfigurationError
from sos_ops.settings import Settings


def stack_ports(settings: Settings) -> list[tuple[str, str, int]]:
    """Who listens (to a person), the variable that moves it, and the port."""
    listed = [
        ("the page", "SOS_DASHBOARD_PORT", settings.dashboard_port),
        ("Airflow", "SOS_AIRFLOW_PORT", settings.airflow_port),
        ("the simulated BMS", "SOS_MODBUS_PORT", settings.modbus_port),
        ("PostgreSQL", "SOS_POSTGRES_PORT", settings.postgres_port),
    ]
    return listed if settings.uses_embedded_postgres else listed[:-1]


def check_ports(settings: Settings) -> None:
    """Refuses to go on when a port is taken.

    Raises:
        InvalidConfigurationError: which port, by whom it is wanted, and which variable to change.
    """
    wanted: dict[int, str] = {}
    for who, variable, port in stack_ports(settings):
        if port in wanted:
            raise InvalidConfigurationError(
                f"{wanted[port]} and {variable} are both {port}: change one of them"
            )
        wanted[port] = variable
        if reason := _taken(port):
            raise InvalidConfigurationError(
                f"Port {port} for {who} {reason}: end what uses it, or set {variable} to a free port"
            )


def _taken(port: int) -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of the last run may linger
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError as error:
            return "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used ({error.strerror})"
    return None
