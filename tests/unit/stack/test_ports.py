from __future__ import annotations

import socket

import pytest

from sos_ops.errors import InvalidConfigurationError
from sos_ops.stack.ports import check_ports

from .conftest import MakeSettings

VARIABLES = {
    "dashboard_port": "SOS_DASHBOARD_PORT",
    "airflow_port": "SOS_AIRFLOW_PORT",
    "modbus_port": "SOS_MODBUS_PORT",
    "postgres_port": "SOS_POSTGRES_PORT",
}


def free_ports() -> dict[str, int]:
    sockets = {name: socket.create_server(("127.0.0.1", 0)) for name in VARIABLES}
    ports = {name: server.getsockname()[1] for name, server in sockets.items()}
    for server in sockets.values():
        server.close()
    return ports


def test_free_ports_are_accepted(make_settings: MakeSettings) -> None:
    check_ports(make_settings(**free_ports()))


@pytest.mark.parametrize("name", VARIABLES)
def test_a_taken_port_is_named_with_the_variable_that_moves_it(
    make_settings: MakeSettings, name: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        settings = make_settings(**{**free_ports(), name: taken})
        with pytest.raises(InvalidConfigurationError, match=f"Port {taken} .* set {VARIABLES[name]} to"):
            check_ports(settings)


def test_one_port_for_two_programs_is_refused(make_settings: MakeSettings) -> None:
    ports = free_ports()
    settings = make_settings(**{**ports, "airflow_port": ports["dashboard_port"]})
    with pytest.raises(InvalidConfigurationError, match="SOS_DASHBOARD_PORT and SOS_AIRFLOW_PORT are both"):
        check_ports(settings)


def test_the_embedded_servers_port_does_not_matter_to_an_own_server(make_settings: MakeSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ports = {**free_ports(), "postgres_port": server.getsockname()[1]}
        check_ports(make_settings(**ports, database_url="postgresql://me@db/plant"))
