from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sos_ops.settings import CHECKOUT, Settings
from sos_ops.stack.container import PREPARE, WORKS
from sos_ops.stack.embedded_postgres import SERVER_SETTINGS
from sos_ops.stack.programs import POSTGRES, WATCHDOG, programs

TEXT = (CHECKOUT / "docker-compose.yaml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (CHECKOUT / "Dockerfile").read_text()
EXAMPLE = (CHECKOUT / ".env.example").read_text()

MIGRATE = "migrate"
PROGRAMS = sorted(SERVICES.keys() - {POSTGRES, MIGRATE})
OURS = [*PROGRAMS, MIGRATE]
LASTING = [*PROGRAMS, POSTGRES]

VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?P<rest>[^}]*)\}")
SECRET = re.compile("PASSWORD|SECRET|TOKEN|KEY")


def seconds(duration: str) -> int:
    number, unit = int(duration[:-1]), duration[-1]
    return number * {"s": 1, "m": 60}[unit]


def all_ports() -> list[str]:
    return [port for service in SERVICES.values() for port in service.get("ports", [])]


def with_defaults(text: str) -> str:
    return VARIABLE.sub(lambda found: found["rest"].removeprefix(":-"), text)


def test_every_program_of_the_stack_has_a_service_that_runs_it() -> None:
    # Its keeper is each program's watchdog.
    assert {item.name for item in programs(Settings(database_url=None))} - {WATCHDOG} == set(LASTING)
    for name in PROGRAMS:
        assert SERVICES[name]["command"] == ["python", "-m", "sos_ops.stack.container", name]
    assert SERVICES[MIGRATE]["command"][-1] == PREPARE


def test_ports_are_open_on_this_machine_only() -> None:
    assert all_ports()
    assert all(port.startswith("127.0.0.1:") for port in all_ports())
    assert all("network_mode" not in service for service in SERVICES.values())


def test_the_ports_are_those_of_the_settings() -> None:
    fields = Settings.model_fields
    expected = {
        f"127.0.0.1:{fields['dashboard_port'].default}:{fields['dashboard_port'].default}",
        f"127.0.0.1:{fields['airflow_port'].default}:{fields['airflow_port'].default}",
        f"127.0.0.1:{fields['modbus_port'].default}:{fields['modbus_port'].default}",
        f"127.0.0.1:{fields['postgres_port'].default}:5432",
    }
    assert {with_defaults(port) for port in all_ports()} == expected


@pytest.mark.parametrize("name", ["SOS_DASHBOARD_PORT", "SOS_AIRFLOW_PORT", "SOS_MODBUS_PORT"])
def test_a_program_listens_on_the_port_that_is_published(name: str) -> None:
    (published,) = [port for port in all_ports() if name in port]
    outside, inside = published.removeprefix("127.0.0.1:").rsplit(":${", 1)
    assert outside == "${" + inside
    assert all(SERVICES[service]["environment"][name] == outside for service in PROGRAMS)


def test_no_secret_has_a_default() -> None:
    secrets = [found for found in VARIABLE.finditer(TEXT) if SECRET.search(found["name"])]
    assert secrets
    assert all(found["rest"].startswith(":?") for found in secrets)


def test_no_secret_is_written_down() -> None:
    written = {
        f"{service}: {name}": value
        for service, description in SERVICES.items()
        for name, value in description.get("environment", {}).items()
        if SECRET.search(name)
    }
    assert written
    assert all(VARIABLE.fullmatch(value) for value in written.values())
    assert not re.search(r"://[^\s$]*:[^\s/]*@", TEXT)
    assert not re.search("^(ARG|ENV).*(PASSWORD|SECRET|TOKEN|KEY)", DOCKERFILE, re.MULTILINE)


def test_without_a_password_compose_says_what_to_do() -> None:
    (message,) = {found["rest"] for found in VARIABLE.finditer(TEXT) if found["name"] == "POSTGRES_PASSWORD"}
    assert ".env.example" in message


@pytest.mark.parametrize("name", LASTING)
def test_a_service_that_dies_is_started_again_and_shows_its_health(name: str) -> None:
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_health_check_looks_where_the_keeper_writes(name: str) -> None:
    assert Path("/tmp/sos-works").name == WORKS.name  # noqa: S108  # the container's own
    assert f"/tmp/{WORKS.name}" in SERVICES[name]["healthcheck"]["test"][1]  # noqa: S108
    assert any(mount.startswith("/tmp:") for mount in SERVICES[name]["tmpfs"])  # noqa: S108


@pytest.mark.parametrize("name", SERVICES)
def test_logs_are_bounded(name: str) -> None:
    options = SERVICES[name]["logging"]["options"]
    assert {"max-size", "max-file"} <= options.keys()


def test_a_program_is_given_the_time_it_takes_to_end() -> None:
    for item in programs(Settings(database_url=None)):
        if item.name != WATCHDOG:
            assert seconds(SERVICES[item.name]["stop_grace_period"]) >= item.stop_grace_s


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_wait_for_the_migrations(name: str) -> None:
    assert SERVICES[name]["depends_on"][MIGRATE] == {"condition": "service_completed_successfully"}
    assert SERVICES[name]["depends_on"][POSTGRES] == {"condition": "service_healthy"}


def test_the_migrations_wait_for_the_server_and_run_once() -> None:
    assert SERVICES[MIGRATE]["depends_on"] == {POSTGRES: {"condition": "service_healthy"}}
    assert SERVICES[MIGRATE]["restart"] == "no"


@pytest.mark.parametrize("name", OURS)
def test_programs_have_no_rights_they_do_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "no-new-privileges:true" in service["security_opt"]
    assert not {"privileged", "cap_add", "user", "pid", "devices"} & service.keys()


@pytest.mark.parametrize("name", SERVICES)
def test_data_live_in_named_volumes(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        assert volume.split(":")[0] in COMPOSE["volumes"]


def test_the_server_keeps_its_data_where_the_image_of_version_18_does() -> None:
    assert SERVICES[POSTGRES]["image"] == "postgres:18"
    assert SERVICES[POSTGRES]["volumes"] == ["postgres:/var/lib/postgresql"]


def test_the_server_is_set_up_as_the_embedded_one() -> None:
    program, *options = SERVICES[POSTGRES]["command"]
    inside = {"listen_addresses", "unix_socket_directories"}
    assert program == "postgres"
    assert dict(option.removeprefix("--").split("=", 1) for option in options) == {
        name: value for name, value in SERVER_SETTINGS.items() if name not in inside
    }


def test_every_login_to_the_server_needs_the_password() -> None:
    arguments = SERVICES[POSTGRES]["environment"]["POSTGRES_INITDB_ARGS"].split()
    assert "--auth=scram-sha-256" in arguments
    assert "POSTGRES_HOST_AUTH_METHOD" not in SERVICES[POSTGRES]["environment"]


@pytest.mark.parametrize("name", OURS)
def test_settings_are_ones_the_platform_knows(name: str) -> None:
    environment = SERVICES[name]["environment"]
    known = {f"SOS_{field.upper()}" for field in Settings.model_fields}
    assert set(environment) <= known
    assert {environment["SOS_AIRFLOW_HOST"], environment["SOS_MODBUS_HOST"]} <= SERVICES.keys()
    assert f"@{POSTGRES}:5432/" in environment["SOS_DATABASE_URL"]


def test_the_image_is_run_by_an_ordinary_user() -> None:
    last_stage = DOCKERFILE.rpartition("FROM ")[2]
    users = re.findall(r"^USER (\S+)$", last_stage, re.MULTILINE)
    assert users
    assert users[-1] not in {"root", "0"}


def test_the_image_is_made_of_pinned_packages_only() -> None:
    installs = re.findall(r"pip install ([^\\\n]*)", DOCKERFILE)
    assert installs
    assert all("--require-hashes -r" in line or "--no-deps --no-index" in line for line in installs)
    assert "://" not in DOCKERFILE.replace("https://docs.", "")


def test_the_base_image_is_the_same_in_both_files() -> None:
    (default,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)
    assert f"PYTHON_IMAGE: ${{SOS_PYTHON_IMAGE:-{default}}}" in TEXT
    assert re.fullmatch(r"python:3\.1[1-4]-slim(-[a-z]+)?", default)


def test_the_image_is_given_only_what_it_is_made_of() -> None:
    lines = [
        line for line in (CHECKOUT / ".dockerignore").read_text().splitlines() if line[:1] not in ("", "#")
    ]
    assert lines[0] == "*"
    for line in lines:
        assert not line.startswith(("!.", "!tests", "!bench"))


def test_the_example_names_what_can_be_set_and_holds_no_secret() -> None:
    named = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    asked = {found["name"] for found in VARIABLE.finditer(TEXT)}
    assert asked - {"PIP_DEFAULT_TIMEOUT", "PIP_RETRIES"} <= named.keys()
    assert named.pop("COMPOSE_PROJECT_NAME")
    assert set(named.values()) == {""}
