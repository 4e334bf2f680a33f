"""From registers to values and back: exactly, and with the right doubt."""

from __future__ import annotations

import math
import struct
from decimal import Decimal

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.decode import Quality, decode_point, encode_point
from sos_ops.modbus.protocol_map import Point, PointType, WordOrder, bundled_map


def point(kind: str = "s16", **fields: object) -> Point:
    if PointType(kind).registers > 1:
        fields.setdefault("word_order", "high_first")
    return Point.model_validate({"name": "p", "address": 0, "type": kind, **fields})


@pytest.mark.parametrize(
    ("of", "registers", "value"),
    [
        (point("s16"), [0xFFFF], -1.0),
        (point("u16"), [0xFFFF], 65535.0),
        (point("s32"), [0xFFFF, 0xFFFE], -2.0),
        (point("u32"), [0x0001, 0x0002], 65538.0),
        (point("u32", word_order="low_first"), [0x0001, 0x0002], 131073.0),
        (point("f32"), [0x4220, 0x0000], 40.0),
        (point("f32", word_order="low_first"), [0x0000, 0x4220], 40.0),
        (point("u64"), [0, 0, 1, 0], 65536.0),
        (point("s16", scale=0.1, offset=-40), [655], 25.5),
        (point("u16", scale=-2), [3], -6.0),
    ],
)
def test_registers_are_read_by_type_word_order_scale_and_offset(
    of: Point, registers: list[int], value: float
) -> None:
    assert decode_point(of, registers).value == value


@given(st.integers(-32767, 32767))
def test_a_scaled_value_is_the_very_number_a_person_would_write(raw: int) -> None:
    for name, digits in (("max_cell_temperature", 1), ("max_cell_voltage", 3)):
        decoded = decode_point(bundled_map("keti_bank").point(name), [raw & 0xFFFF])
        read = decoded.suspect_value if decoded.value is None else decoded.value
        assert read == float(f"{raw / 10**digits:.{digits}f}")


def test_4086_thousandths_are_exactly_the_limit_of_4_086_volt() -> None:
    assert decode_point(bundled_map("keti_bank").point("max_cell_voltage"), [4086]).value == 4.086


@pytest.mark.parametrize("bits", [0x7FC00000, 0x7FBFFF80, 0xFFC00000, 0x7F800001, 0x7F800000, 0xFF800000])
def test_no_nan_and_no_infinity_is_a_value(bits: int) -> None:
    decoded = decode_point(point("f32", plausible=[0, 100]), [bits >> 16, bits & 0xFFFF])
    assert (decoded.value, decoded.suspect_value, decoded.quality) == (None, None, Quality.NOT_FINITE)


def test_a_value_that_overflows_by_its_scale_is_no_value() -> None:
    largest = struct.unpack(">4H", struct.pack(">d", 1.7e308))
    assert decode_point(point("f64", scale=10), list(largest)).quality is Quality.NOT_FINITE


@pytest.mark.parametrize("written", [0x8000, -32768])
def test_the_not_implemented_value_is_no_value_however_the_map_writes_it(written: int) -> None:
    decoded = decode_point(point("s16", scale=0.1, not_implemented=[written], plausible=[-40, 120]), [0x8000])
    assert (decoded.value, decoded.suspect_value, decoded.quality) == (None, None, Quality.NOT_IMPLEMENTED)


def test_the_not_implemented_value_of_two_registers_follows_the_word_order() -> None:
    swapped = point("u32", word_order="low_first", not_implemented=[0xFFFF0000])
    assert decode_point(swapped, [0x0000, 0xFFFF]).quality is Quality.NOT_IMPLEMENTED
    assert decode_point(swapped, [0xFFFF, 0x0000]).quality is Quality.GOOD


@pytest.mark.parametrize(
    ("danger", "value", "quality"),
    [
        ("high", 150, Quality.IMPLAUSIBLE_DANGEROUS),
        ("high", -60, Quality.IMPLAUSIBLE_SAFE),
        ("low", 150, Quality.IMPLAUSIBLE_SAFE),
        ("low", -60, Quality.IMPLAUSIBLE_DANGEROUS),
        ("both", 150, Quality.IMPLAUSIBLE_DANGEROUS),
        ("both", -60, Quality.IMPLAUSIBLE_DANGEROUS),
        ("high", 120, Quality.GOOD),
        ("high", -40, Quality.GOOD),
    ],
)
def test_an_unlikely_value_counts_when_it_points_to_danger_and_is_set_aside_when_it_points_to_safety(
    danger: str, value: int, quality: Quality
) -> None:
    decoded = decode_point(point(plausible=[-40, 120], danger=danger), [value & 0xFFFF])
    assert decoded.quality is quality
    if quality is Quality.IMPLAUSIBLE_SAFE:
        assert (decoded.value, decoded.suspect_value) == (None, value)
    else:
        assert (decoded.value, decoded.suspect_value) == (value, None)


def test_without_a_plausible_range_nothing_is_unlikely() -> None:
    assert decode_point(point("s16"), [0x7FFF]).quality is Quality.GOOD


@pytest.mark.parametrize("registers", [[], [1, 2]])
def test_registers_of_another_width_are_refused(registers: list[int]) -> None:
    with pytest.raises(ValueError, match="is 1 registers wide"):
        decode_point(point("s16"), registers)


@pytest.mark.parametrize(
    ("of", "value"),
    [
        (point("s16", scale=0.1), 3276.8),
        (point("u16"), -1.0),
        (point("u16"), math.nan),
        (point("s32"), math.inf),
        (point("f32"), 1e39),
    ],
)
def test_a_value_that_the_registers_cannot_show_is_refused(of: Point, value: float) -> None:
    with pytest.raises(InvalidConfigurationError, match=r"point p .* cannot show"):
        encode_point(of, value)


def test_nothing_is_shown_as_not_implemented_and_only_where_there_is_such_a_value() -> None:
    assert encode_point(point("s16", not_implemented=[-32768]), None) == [0x8000]
    with pytest.raises(InvalidConfigurationError, match="has no not-implemented value"):
        encode_point(point("s16"), None)
    with pytest.raises(InvalidConfigurationError, match="would read as not implemented"):
        encode_point(point("s16", not_implemented=[-32768]), -32768.0)


SCALES = st.sampled_from(["1", "0.1", "0.001", "0.0001", "10", "-0.5", "0.25", "3"])
OFFSETS = st.sampled_from(["0", "-40", "273.15", "0.001"])
NARROW = st.sampled_from([PointType.S16, PointType.U16, PointType.S32, PointType.U32])


@given(kind=NARROW, low_first=st.booleans(), scale=SCALES, offset=OFFSETS, data=st.data())
def test_what_a_device_shows_of_a_value_is_read_back_as_that_value(
    kind: PointType, low_first: bool, scale: str, offset: str, data: st.DataObject
) -> None:
    raw = data.draw(st.integers(*kind.raw_range))
    fields = (
        {"word_order": WordOrder.LOW_FIRST if low_first else WordOrder.HIGH_FIRST}
        if kind.registers > 1
        else {}
    )
    of = point(kind, scale=Decimal(scale), offset=Decimal(offset), **fields)
    value = float(Decimal(raw) * of.scale + of.offset)
    assert decode_point(of, encode_point(of, value)).value == value


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(list(WordOrder)))
def test_a_float_survives_the_registers_exactly(value: float, order: WordOrder) -> None:
    of = point("f32", word_order=order)
    assert decode_point(of, encode_point(of, value)).value == value


@given(st.lists(st.integers(0, 0xFFFF), min_size=2, max_size=2), st.sampled_from(["s32", "u32", "f32"]))
def test_any_registers_yield_a_finite_value_or_none(registers: list[int], kind: str) -> None:
    decoded = decode_point(point(kind, plausible=[-10, 10], danger="low"), registers)
    assert (decoded.value is None) == (
        decoded.quality in (Quality.NOT_FINITE, Quality.NOT_IMPLEMENTED, Quality.IMPLAUSIBLE_SAFE)
    )
    assume(decoded.value is not None)
    assert decoded.value is not None
    assert math.isfinite(decoded.value)
