"""`SOS_SHARED_BUSES`: which gateways have a line that others use too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sos_ops.errors import InvalidConfigurationError
from sos_ops.settings import MOST_SHARED_BUSES, SharedBus, get_settings
from sos_ops.stack.airflow_config import WORKERS, airflow_environment, workers
from sos_ops.stack.programs import program_environment

Named = pytest.MonkeyPatch


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Named]:
    monkeypatch.setenv("SOS_HOME", str(tmp_path_factory.mktemp("home")))
    get_settings.cache_clear()
    yield monkeypatch
    get_settings.cache_clear()


def test_buses_are_host_and_port_in_lower_case(named: Named) -> None:
    named.setenv("SOS_SHARED_BUSES", " 10.0.0.5:502, GW-1.Plant:1502 ,[FE80::1]:502,")
    assert get_settings().buses == (("10.0.0.5", 502), ("gw-1.plant", 1502), ("fe80::1", 502))


@pytest.mark.parametrize("nothing", ["", " ", ","])
def test_without_any_there_are_none(named: Named, nothing: str) -> None:
    named.setenv("SOS_SHARED_BUSES", nothing)
    assert get_settings().buses == ()


def test_task_and_pool_are_named_after_the_bus() -> None:
    bus = SharedBus.parse("gw-1.plant:1502")
    assert (bus.task_id, bus.pool) == ("poll_bus_gw_1_plant_1502", "modbus_gw_1_plant_1502")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("10.0.0.5", "'10.0.0.5' is no bus: write it as host:port"),
        ("10.0.0.5:modbus", "write it as host:port"),
        ("10.0.0.5:0", "its TCP port must be 1 to 65535"),
        ("10.0.0.5:65536", "its TCP port must be 1 to 65535"),
        ("fe80::1:502", "an IPv6 address stands in brackets"),
        ("tcp://gw:502", "is no bus"),
        (":502", "is no bus"),
        ("a b:502", "is no bus"),
        ("gw:502,GW:502", "gw:502 is named twice: name it once"),
        ("gw-1:502,gw_1:502", "gw-1:502 and gw_1:502 would share a pool's name"),
        (
            ",".join(f"gw{n}:502" for n in range(17)),
            f"17 buses are too many: name at most {MOST_SHARED_BUSES}",
        ),
    ],
)
def test_what_is_no_bus_is_refused_in_one_line(named: Named, text: str, says: str) -> None:
    named.setenv("SOS_SHARED_BUSES", text)
    with pytest.raises(InvalidConfigurationError) as refused:
        get_settings()
    line = str(refused.value)
    assert line.startswith("SOS_SHARED_BUSES: ")
    assert says in line
    assert len(line.splitlines()) == 1


def test_every_program_of_the_stack_knows_the_buses(named: Named) -> None:
    named.setenv("SOS_SHARED_BUSES", "gw-1:502,[fe80::1]:502")
    handed_on = program_environment(get_settings(), "airflow-scheduler", {})["SOS_SHARED_BUSES"]
    named.setenv("SOS_SHARED_BUSES", handed_on)
    known = get_settings().buses
    get_settings.cache_clear()
    assert get_settings().buses == known


def test_a_bus_that_waits_or_is_slow_keeps_no_step_of_the_minute_waiting(named: Named) -> None:
    """Each holds a worker for most of the minute: there is one more for each."""
    named.setenv("SOS_SHARED_BUSES", "gw-1:502,gw-2:502")
    assert workers(get_settings()) == WORKERS + 2
    environment = airflow_environment(get_settings(), {})
    assert environment["AIRFLOW__CORE__PARALLELISM"] == str(WORKERS + 2)
    assert environment["AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG"] == str(WORKERS + 2)
