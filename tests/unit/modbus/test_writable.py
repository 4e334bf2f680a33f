"""Writable points: the register for a value, and whether a readback shows that it arrived."""

from __future__ import annotations

import math
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sos_ops.errors import InvalidConfigurationError, UnknownNameError
from sos_ops.modbus.decode import decode_point
from sos_ops.modbus.encode import encode_point
from sos_ops.modbus.protocol_map import (
    Point,
    ProtocolMap,
    ReadFunction,
    RegisterRange,
    WritablePoint,
    bundled_map,
    load_map,
)


def writable(**fields: object) -> WritablePoint:
    plain = {"name": "limit", "address": 9, "type": "u16", "scale": 0.01, "minimum": 0, "maximum": 5}
    if "allowed" in fields:
        del plain["minimum"], plain["maximum"]
    return WritablePoint.model_validate({**plain, "unit": "V", "readback": "shown", **fields})


def shown(**fields: object) -> Point:
    plain = {"name": "shown", "address": 402, "type": "s16", "scale": 0.1, "unit": "V"}
    if str(fields.get("type", "")).endswith(("32", "64")):
        plain["word_order"] = "high_first"
    return Point.model_validate({**plain, **fields})


KETI_OVER_VOLTAGE = writable(name="cell_over_voltage_fault", readback_rounding="down")
"""Written in hundredths; the firmware shows ten times the value, cut off: 4.05 V reads back 40."""


@pytest.mark.parametrize(
    ("point", "value", "raw"),
    [
        (writable(), 4.05, 405),
        (writable(), 0, 0),
        (writable(), 5, 500),
        (writable(), Decimal("4.05"), 405),
        (writable(), 0.1 + 0.2, 30),
        (writable(type="s16", minimum=-20, maximum=60), -20, 0x10000 - 2000),
        (writable(type="s16", minimum=-20, maximum=60), -0.01, 0xFFFF),
        (writable(scale=0.1, offset=-40, minimum=-40, maximum=100), -40, 0),
        (writable(scale=0.1, offset=-40, minimum=-40, maximum=100), 25.5, 655),
        (writable(scale=1, allowed=[0, 1]), 1.0, 1),
    ],
)
def test_a_value_is_the_register_its_type_scale_and_offset_make_of_it(
    point: WritablePoint, value: float, raw: int
) -> None:
    assert point.raw(value) == raw
    assert point.value(raw) == pytest.approx(float(value))


@pytest.mark.parametrize(
    ("point", "value", "reason"),
    [
        (writable(), 5.01, "limit: 5.01 V cannot be written: 0 to 5 may be written"),
        (writable(minimum=1), 0.99, "1 to 5 may be written"),
        (writable(), -0.01, "-0.01 V cannot be written: u16 x 0.01 holds 0 to 655.35 only"),
        (writable(type="s16"), -0.01, "0 to 5 may be written"),
        (writable(), 1e9, "holds 0 to 655.35 only"),
        (writable(), 4.055, "it moves in steps of 0.01: 4.05 or 4.06"),
        (writable(), 5.001, "it moves in steps of 0.01: 5 or 5.01"),
        (writable(), math.nan, "limit: nan V cannot be written: it is no number"),
        (writable(), math.inf, "it is no number"),
        (writable(), True, "it is no number"),
        (writable(), 10**400, "it is no number"),
        (writable(), Decimal("sNaN"), "it is no number"),
        (writable(), Decimal("1e999999999"), "it is no number"),
        (writable(), Decimal("1e-999999999"), "it is no number"),
        (writable(scale=1, allowed=[0, 2, 3]), 1, "1 V cannot be written: only 0, 2, 3 may be written"),
    ],
)
def test_a_value_that_may_not_or_cannot_be_written_is_refused_in_one_line(
    point: WritablePoint, value: float, reason: str
) -> None:
    with pytest.raises(InvalidConfigurationError) as raised:
        point.raw(value)
    assert reason in str(raised.value)
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 600


@settings(deadline=None)
@given(st.integers(0, 0xFFFF), st.sampled_from(["s16", "u16"]))
def test_a_register_written_is_the_value_a_point_of_that_type_reads(raw: int, kind: str) -> None:
    point = writable(type=kind, scale=0.1, minimum=0, maximum=1)
    assert point.value(raw) == decode_point(shown(type=kind, scale=0.1), [raw]).value


@settings(deadline=None)
@given(st.floats() | st.integers() | st.decimals())
def test_whatever_is_asked_for_is_written_within_the_limits_or_refused(value: float | Decimal) -> None:
    try:
        raw = KETI_OVER_VOLTAGE.raw(value)
    except InvalidConfigurationError:
        return
    assert 0 <= KETI_OVER_VOLTAGE.value(raw) <= 5
    assert abs(KETI_OVER_VOLTAGE.value(raw) - float(value)) < 1e-6


def test_a_readback_that_the_device_cuts_off_confirms_and_its_neighbours_do_not() -> None:
    raw = KETI_OVER_VOLTAGE.raw(4.05)
    assert raw == 405
    assert KETI_OVER_VOLTAGE.is_confirmed_by(shown(), raw, decode_point(shown(), [40]).value)
    for wrong in (39, 41, 405, 0, 4):
        assert not KETI_OVER_VOLTAGE.is_confirmed_by(shown(), raw, decode_point(shown(), [wrong]).value)


@pytest.mark.parametrize("read", [None, math.nan, math.inf, -math.inf])
def test_what_was_not_read_confirms_nothing(read: float | None) -> None:
    assert not KETI_OVER_VOLTAGE.is_confirmed_by(shown(), 0, read)
    exact = writable(readback_rounding="exact")
    assert not exact.is_confirmed_by(shown(type="f32", scale=1), 0, read)


def test_a_negative_value_is_cut_off_towards_zero_as_c_does() -> None:
    cold = writable(type="s16", minimum=-20, maximum=60, readback_rounding="down")
    raw = cold.raw(-4.05)
    assert cold.is_confirmed_by(shown(), raw, decode_point(shown(), [0x10000 - 40]).value)
    assert not cold.is_confirmed_by(shown(), raw, decode_point(shown(), [0x10000 - 41]).value)


def test_a_rounded_readback_confirms_both_ways_only_where_it_lies_halfway() -> None:
    rounded = writable(readback_rounding="nearest")
    for value, confirming in ((4.04, {40}), (4.05, {40, 41}), (4.06, {41}), (4.1, {41})):
        raw = rounded.raw(value)
        assert {
            one
            for one in range(30, 50)
            if rounded.is_confirmed_by(shown(), raw, decode_point(shown(), [one]).value)
        } == confirming


def test_an_exact_readback_may_have_finer_steps_and_another_offset() -> None:
    fine = shown(scale=0.001, offset=-1)
    exact = writable()
    assert exact.readback_trouble(fine) is None
    assert exact.is_confirmed_by(fine, exact.raw(4.05), decode_point(fine, [5050]).value)
    assert not exact.is_confirmed_by(fine, exact.raw(4.05), decode_point(fine, [5051]).value)


@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_a_float_confirms_within_what_the_device_can_have_computed(kind: str) -> None:
    of, exact = shown(type=kind, scale=1), writable()
    raw = exact.raw(4.05)
    assert exact.is_confirmed_by(of, raw, decode_point(of, encode_point(of, 4.05)).value)
    for wrong in (4.04, 4.06, 4.0501):
        assert not exact.is_confirmed_by(of, raw, decode_point(of, encode_point(of, wrong)).value)


SCALES = st.sampled_from([Decimal(s) for s in ("0.01", "0.1", "1", "2", "0.5", "-0.1", "0.25")])
OFFSETS = st.sampled_from([Decimal(0), Decimal(-40), Decimal("0.05")])
ROUNDINGS = {"down": ROUND_DOWN, "nearest": ROUND_HALF_UP}


@settings(deadline=None)
@given(
    raw=st.integers(-500, 500),
    scales=st.tuples(SCALES, SCALES),
    offsets=st.tuples(OFFSETS, OFFSETS),
    rounding=st.sampled_from(sorted(ROUNDINGS)),
    other=st.integers(-3, 3),
)
def test_a_device_that_rounds_as_the_map_says_is_confirmed_and_one_that_is_steps_off_is_not(
    raw: int, scales: tuple[Decimal, Decimal], offsets: tuple[Decimal, Decimal], rounding: str, other: int
) -> None:
    """Against the device's own arithmetic, in decimals."""
    reach = 500 * abs(scales[0])
    point = writable(
        type="s16",
        scale=scales[0],
        offset=offsets[0],
        minimum=offsets[0] - reach,
        maximum=offsets[0] + reach,
        readback_rounding=rounding,
    )
    of = shown(type="s32", scale=scales[1], offset=offsets[1])
    written = raw * scales[0] + offsets[0]
    on_display = int(((written - offsets[1]) / scales[1]).to_integral_value(rounding=ROUNDINGS[rounding]))
    value = decode_point(of, [(on_display + other) >> 16 & 0xFFFF, (on_display + other) & 0xFFFF]).value
    halfway = (written - offsets[1]) / scales[1] % 1 in (Decimal("0.5"), Decimal("-0.5"))
    if other == 0:
        assert point.is_confirmed_by(of, raw & 0xFFFF, value)
    elif not (rounding == "nearest" and halfway):
        assert not point.is_confirmed_by(of, raw & 0xFFFF, value)


@pytest.mark.parametrize(
    ("point", "readback", "trouble"),
    [
        (
            writable(),
            shown(),
            "shows steps of 0.1 and cannot show every value exactly: say readback_rounding",
        ),
        (writable(readback_rounding="down"), shown(unit="A"), "shown is in A, not in V"),
        (writable(readback_rounding="down"), shown(unit=""), "shown is in no unit, not in V"),
        (writable(readback_rounding="down"), shown(type="f32"), "has no steps: say readback_rounding exact"),
        (writable(), Point(name="s", address=1, type="string", length=2, unit="V"), "confirms no number"),
        (writable(), Point(name="s", address=1, type="bits16", unit="V"), "confirms no number"),
        (
            writable(readback_rounding="down"),
            shown(plausible=[0, 4.2]),
            "5 may be written, but is implausible for shown",
        ),
        (
            writable(maximum=600, readback_rounding="down"),
            shown(scale=0.01),
            "shown (s16) cannot show 600",
        ),
        (
            writable(type="s16", minimum=-1, readback_rounding="down"),
            shown(type="u16"),
            "shown (u16) cannot show -1",
        ),
        (writable(scale=1, allowed=[1, 2]), shown(scale=2), "cannot show every value exactly"),
        (writable(scale=1, allowed=[2, 4]), shown(scale=2), None),
        (writable(readback_rounding="down"), shown(), None),
    ],
)
def test_a_readback_that_could_never_confirm_is_known_before_anything_is_written(
    point: WritablePoint, readback: Point, trouble: str | None
) -> None:
    found = point.readback_trouble(readback)
    assert found is None if trouble is None else trouble in str(found)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"minimum": None}, "say what may be written: either minimum and maximum, or allowed values"),
        ({"minimum": None, "maximum": None}, "say what may be written"),
        ({"allowed": [1], "minimum": 0, "maximum": 5}, "say what may be written"),
        ({"minimum": 5, "maximum": 5}, "minimum must be smaller than maximum"),
        ({"minimum": -20}, "-20 cannot be written as u16 x 0.01"),
        ({"maximum": 700}, "700 cannot be written as u16 x 0.01"),
        ({"scale": 0}, "scale 0 makes every value the same"),
        ({"allowed": [1, 1.005]}, "allowed value 1.005 lies between two steps of 0.01"),
        ({"type": "u32"}, "Input should be"),
        ({"type": "f32"}, "Input should be"),
        ({"demo_only": "maybe"}, "valid boolean"),
        ({"readback": None}, "Input should be a valid string"),
    ],
)
def test_a_writable_point_that_makes_no_sense_is_refused(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        writable(**fields)


HEAD = """\
name: rack
version: 1
description: a rack
read_function: input
addressing: zero_based
points:
  - {name: shown, address: 402, type: u16, scale: 0.1, unit: V}
"""
WRITE = "{name: limit, address: 9, type: u16, scale: 0.01, unit: V, minimum: 0, maximum: 5, readback: shown"


def load(tmp_path: Path, text: str) -> ProtocolMap:
    (tmp_path / "rack.yaml").write_text(text, encoding="utf-8")
    return load_map(tmp_path / "rack.yaml")


def test_a_map_tells_its_writable_points_and_where_they_are_written(tmp_path: Path) -> None:
    text = HEAD + f"writable_points:\n  - {WRITE}, readback_rounding: down}}\n"
    rack = load(tmp_path, text.replace("zero_based", "one_based"))
    limit = rack.writable_point("limit")
    assert limit.demo_only is False
    assert rack.register_to_write(limit) == RegisterRange(ReadFunction.HOLDING, 8, 1)
    with pytest.raises(UnknownNameError, match="has no writable point shown; there are: limit"):
        rack.writable_point("shown")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"writable_points:\n  - {WRITE}}}\n", "writable point limit: readback: shown shows steps of 0.1"),
        (
            f"writable_points:\n  - {WRITE}, readback_rounding: down}}\n"
            "denied:\n  - {table: holding, address: 5, count: 10, why: it resets}\n",
            r"writable point limit: holding register 9 is denied \(it resets\)",
        ),
        (
            f"writable_points:\n  - {WRITE.replace('shown', 'gone')}, readback_rounding: down}}\n",
            "writable point limit: readback: there is no point gone",
        ),
        (
            f"writable_points:\n  - {WRITE}, readback_rounding: down}}\n  - {WRITE}, readback_rounding: down}}\n",
            r"writable point limit: the name is used twice \(and 1 more\)",
        ),
        (
            f"writable_points:\n  - {WRITE}, readback_rounding: down}}\n"
            f"  - {WRITE.replace('limit', 'other')}, readback_rounding: down}}\n",
            "writable point other: holding register 9 belongs to limit already",
        ),
        (f"writable_points:\n  - {WRITE}, maximun: 3}}\n", "maximun: is no field here: did you mean maximum"),
        (
            f"writable_points:\n  - {WRITE.replace('minimum: 0', 'minimum: -20')}}}\n",
            "writable point limit: -20 cannot be written as u16 x 0.01",
        ),
    ],
)
def test_a_wrong_writable_point_is_refused_when_the_map_is_loaded(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(InvalidConfigurationError, match=reason):
        load(tmp_path, HEAD + text)


def test_an_input_register_may_be_read_where_the_holding_register_of_its_number_is_denied(
    tmp_path: Path,
) -> None:
    text = HEAD.replace("402", "99") + "denied:\n  - {table: holding, address: 99, why: it resets}\n"
    assert load(tmp_path, text).point("shown").address == 99


def test_the_demos_current_limit_is_written_in_tenths_and_shown_in_whole_amperes() -> None:
    demo = bundled_map("demo_rack")
    limit, of = demo.writable_point("current_limit"), demo.point("current_limit")
    assert limit.demo_only
    assert demo.register_to_write(limit) == RegisterRange(ReadFunction.HOLDING, 40, 1)
    assert demo.registers_of(of) == RegisterRange(ReadFunction.HOLDING, 140, 1)
    raw = limit.raw(120.7)
    assert raw == 1207
    assert limit.is_confirmed_by(of, raw, decode_point(of, [120]).value)
    assert not limit.is_confirmed_by(of, raw, decode_point(of, [121]).value)
    with pytest.raises(InvalidConfigurationError, match="0 to 200 may be written"):
        limit.raw(200.1)
