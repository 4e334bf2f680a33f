"""The operators a data engineer uses in a DAG of their own, against a device; the write operator against none."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from sos_ops.errors import InvalidConfigurationError, SosOpsError
from sos_ops.modbus.protocol_map import bundled_map
from sos_ops.operators.modbus import ModbusReadOperator, ModbusWriteOperator
from sos_ops.settings import get_settings
from tests.support import faulty_modbus as faults
from tests.support.faulty_modbus import LOOPBACK, FaultyModbusServer, Request, register_value

from .conftest import Connect

MAP = "keti_bank"


def run(operator: Any) -> Any:
    return operator.execute({})


def reading(**changes: Any) -> ModbusReadOperator:
    return ModbusReadOperator(
        **{"task_id": "read", "modbus_conn_id": "bms_a", "protocol_map": MAP, **changes}
    )


def only_the_first_block(request: Request) -> faults.Fault:
    return faults.honest if request.address == 0 else faults.hang_up


def test_a_reading_has_value_unit_quality_and_time(connect: Connect) -> None:
    with FaultyModbusServer() as server:
        connect(host=LOOPBACK, port=server.port, extra={"unit_id": 3})
        said = run(reading(points=["soc"]))
    (address,) = [point.address for point in bundled_map(MAP).points if point.name == "soc"]
    soc = said["readings"].pop("soc")
    assert said == {"device": "bms_a", "outcome": "complete", "reason": None, "readings": {}}
    assert soc["value"] == pytest.approx(register_value(3, address) * 0.1)
    assert (soc["unit"], soc["quality"]) == ("%", "good")
    assert datetime.fromisoformat(soc["read_at"]).utcoffset() == timedelta(0)


def test_the_result_is_plain_json(connect: Connect) -> None:
    with FaultyModbusServer() as server:
        connect(host=LOOPBACK, port=server.port)
        said = run(reading())
    assert json.loads(json.dumps(said, allow_nan=False)) == said


@pytest.mark.parametrize("fail_on", ["failed", "partial"])
def test_a_device_that_gives_nothing_fails_the_task_with_the_reason(connect: Connect, fail_on: str) -> None:
    with faults.refusing_port() as port:
        connect(host=LOOPBACK, port=port)
        with pytest.raises(
            SosOpsError, match=f"^bms_a: failed, 0 points read: connection refused by {LOOPBACK}:{port}"
        ):
            run(reading(fail_on=fail_on))


def test_a_task_that_shall_never_fail_returns_the_reason(connect: Connect) -> None:
    with faults.refusing_port() as port:
        connect(host=LOOPBACK, port=port)
        said = run(reading(fail_on="never"))
    assert (said["outcome"], said["readings"]) == ("failed", {})
    assert "connection refused" in said["reason"]


def test_what_is_missing_fails_the_task_only_when_asked_to(
    connect: Connect, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("maps") / "two.yaml"
    path.write_text(
        "name: two\nversion: 1\ndescription: two blocks\nread_function: holding\naddressing: zero_based\npoints:\n"
        "  - {name: first, address: 0, type: s16}\n  - {name: second, address: 500, type: s16}\n"
    )
    with FaultyModbusServer(choose=only_the_first_block) as server:
        connect(host=LOOPBACK, port=server.port)
        said = run(reading(protocol_map=str(path), deadline_s=5))
        assert (said["outcome"], list(said["readings"])) == ("partial", ["first"])
        with pytest.raises(SosOpsError, match=r"^bms_a: partial, 1 point read: "):
            run(reading(protocol_map=str(path), deadline_s=5, fail_on="partial"))


def test_a_map_or_connection_that_cannot_be_used_is_not_tried_again(connect: Connect) -> None:
    connect(host="10.0.0.5")
    with pytest.raises(AirflowFailException, match="no protocol map 'nobodys'"):
        run(reading(protocol_map="nobodys"))
    connect(extra={})
    with pytest.raises(AirflowFailException, match="connection bms_a has no host"):
        run(reading())


def test_an_unknown_fail_on_is_refused_where_the_dag_is_written() -> None:
    with pytest.raises(
        InvalidConfigurationError, match="read: fail_on 'always' is none of failed, partial, never"
    ):
        reading(fail_on="always")


def test_connection_map_and_points_may_be_templates() -> None:
    assert set(ModbusReadOperator.template_fields) == {"modbus_conn_id", "protocol_map", "points"}


@pytest.fixture
def writable_map(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """A map with writable points, as BMS have them: coarse readback, negative limits, a denied reset register."""

    def make(**point: Any) -> str:
        path = tmp_path_factory.mktemp("maps") / "rack.yaml"
        fields = {
            "name": "cell_overvoltage", "address": 9, "type": "u16", "scale": 0.01, "unit": "V", "minimum": 3.5,
            "maximum": 4.3, "readback": "cell_overvoltage_set", "readback_rounding": "down", **point,
        }  # fmt: skip
        path.write_text(
            "name: rack\nversion: 1\ndescription: a rack\nread_function: input\naddressing: one_based\n"
            "denied: [{table: holding, address: 99, why: resets the controller}]\n"
            "points:\n"
            "  - {name: cell_overvoltage_set, address: 402, type: u16, scale: 0.1, unit: V}\n"
            "  - {name: under_temperature_set, address: 403, type: s16, scale: 0.1, unit: °C}\n"
            f"writable_points: [{json.dumps({k: v for k, v in fields.items() if v is not None})}]\n",
            encoding="utf-8",
        )
        return str(path)

    return make


def writing(value: object, protocol_map: str, point: str = "cell_overvoltage") -> ModbusWriteOperator:
    return ModbusWriteOperator(
        task_id="write", modbus_conn_id="bms_a", point=point, value=value, protocol_map=protocol_map  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_write_is_planned_logged_and_never_sent(
    connect: Connect, writable_map: Callable[..., str], caplog: pytest.LogCaptureFixture
) -> None:
    with FaultyModbusServer() as server:
        connect(host=LOOPBACK, port=server.port)
        operator = writing("4.05", writable_map())
        with caplog.at_level(logging.INFO):
            said = run(operator)
        assert (server.connections, server.requests) == (0, [])
    assert said == {
        "device": "bms_a",
        "point": "cell_overvoltage",
        "value": 4.05,
        "unit": "V",
        "register": 8,
        "raw": 405,
        "readback": {"point": "cell_overvoltage_set", "register": 401, "expected": [4.0]},
        "written": False,
    }


def test_a_negative_value_is_shown_as_its_bit_pattern(
    connect: Connect, writable_map: Callable[..., str]
) -> None:
    connect(host="10.0.0.5")
    under = {"type": "s16", "unit": "°C", "minimum": -20, "maximum": 10, "readback": "under_temperature_set"}
    said = run(writing(-12.5, writable_map(**under)))
    assert (said["raw"], said["readback"]["expected"]) == (0x10000 - 1250, [-12.5])


@pytest.mark.parametrize(
    ("value", "point", "says"),
    [
        (4.31, "cell_overvoltage", "3.5 to 4.3 may be written"),
        (4.055, "cell_overvoltage", "it moves in steps of 0.01"),
        ("hot", "cell_overvoltage", "'hot' is no number"),
        ("nan", "cell_overvoltage", "it is no number"),
        (
            4.05,
            "cell_overvoltage_set",
            "has no writable point cell_overvoltage_set; there are: cell_overvoltage",
        ),
    ],
)
def test_a_write_that_would_be_refused_is_refused_in_shadow_too(
    connect: Connect, writable_map: Callable[..., str], value: object, point: str, says: str
) -> None:
    connect(host="10.0.0.5")
    with pytest.raises(AirflowFailException, match=says):
        run(writing(value, writable_map(), point))


def test_only_allowed_values_pass_where_they_are_few(
    connect: Connect, writable_map: Callable[..., str]
) -> None:
    connect(host="10.0.0.5")
    few = {"minimum": None, "maximum": None, "allowed": [4.1, 4.2], "scale": 0.1}
    path = writable_map(**few)
    assert run(writing(4.2, path))["raw"] == 42
    with pytest.raises(AirflowFailException, match=r"only 4\.1, 4\.2 may be written"):
        run(writing(4.3, path))


def test_a_map_that_would_write_a_denied_register_is_refused(
    connect: Connect, writable_map: Callable[..., str]
) -> None:
    connect(host="10.0.0.5")
    with pytest.raises(
        AirflowFailException, match=r"holding register 99 is denied \(resets the controller\)"
    ):
        run(writing(4.05, writable_map(address=99)))


def test_a_point_of_the_demo_is_for_the_demos_bms_alone(
    connect: Connect, writable_map: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOS_MODBUS_PORT", "15020")
    get_settings.cache_clear()
    try:
        connect(host="10.0.0.5")
        with pytest.raises(
            AirflowFailException, match=r"exists in the demo's BMS only \(127\.0\.0\.1:15020\)"
        ):
            run(writing(4.05, writable_map(demo_only=True)))
        connect(host="127.0.0.1", port=15020)
        assert run(writing(4.05, writable_map(demo_only=True)))["written"] is False
    finally:
        get_settings.cache_clear()
