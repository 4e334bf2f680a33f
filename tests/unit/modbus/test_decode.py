"""From registers to values and back: exactly, and with the right doubt."""

from __future__ import annotations

import math
import struct
from decimal import Decimal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.decode import Judged, Quality, decode_point, flag_names
from sos_ops.modbus.encode import encode_point
from sos_ops.modbus.plan import plan_blocks
from sos_ops.modbus.protocol_map import ByteOrder, Point, PointType, ReadFunction, WordOrder, bundled_map


def point(kind: str = "s16", **fields: object) -> Point:
    if PointType(kind).registers > 1:
        fields.setdefault("word_order", "high_first")
    fields.setdefault("function", ReadFunction.INPUT)
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
        (point("u16", byte_order="low_first"), [0x3412], 0x1234),
        (point("s16", byte_order="low_first"), [0xFEFF], -2.0),
        (point("bit", bit=0), [0b0110], 0.0),
        (point("bit", bit=2), [0b0110], 1.0),
        (point("bit", bit=15), [0x8000], 1.0),
        (point("bit", bit=15, byte_order="low_first"), [0x0080], 1.0),
        (point("bit", bit=1, scale=-1, offset=1), [0b0010], 0.0),
        (point("bits16"), [0x8001], 32769.0),
        (point("bits32"), [0x8000, 0x0001], 2147483649.0),
        (point("bits32", word_order="low_first"), [0x0001, 0x8000], 2147483649.0),
    ],
)
def test_registers_are_read_by_type_word_order_scale_and_offset(
    of: Point, registers: list[int], value: float
) -> None:
    assert decode_point(of, registers).value == value


# The four orders manuals know, of the float 40.5 (0x42220000) and the integer 0x0A0B0C0D.
ORDERS = [
    ("high_first", "high_first", [0x4222, 0x0000], [0x0A0B, 0x0C0D]),
    ("low_first", "high_first", [0x0000, 0x4222], [0x0C0D, 0x0A0B]),
    ("high_first", "low_first", [0x2242, 0x0000], [0x0B0A, 0x0D0C]),
    ("low_first", "low_first", [0x0000, 0x2242], [0x0D0C, 0x0B0A]),
]


@pytest.mark.parametrize(("words", "bytes_", "forty_and_a_half", "abcd"), ORDERS)
def test_word_and_byte_order_together_are_the_four_orders_that_manuals_know(
    words: str, bytes_: str, forty_and_a_half: list[int], abcd: list[int]
) -> None:
    orders = {"word_order": words, "byte_order": bytes_}
    assert decode_point(point("f32", **orders), forty_and_a_half).value == 40.5
    assert decode_point(point("u32", **orders), abcd).value == float(0x0A0B0C0D)


def registers_of(data: bytes) -> list[int]:
    return [int.from_bytes(data[begin : begin + 2], "big") for begin in range(0, len(data), 2)]


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"SN-12345", "SN-12345"),
        (b"SN-1\0\0\0\0", "SN-1"),
        (b"SN-1    ", "SN-1"),
        (b"  SN-1\0\0", "SN-1"),
        (b"\0\0SN-1\0\0", "SN-1"),
        (b"SN\0left!", "SN"),
        (b"SN 12 \0\0", "SN 12"),
        ("온도 1".encode(), "온도 1"),
        (b"        ", ""),
    ],
)
def test_a_string_is_its_text_without_the_nuls_and_spaces_around_it(data: bytes, text: str) -> None:
    decoded = decode_point(point("string", length=len(data) // 2), registers_of(data))
    assert decoded[1:] == Judged(None, None, Quality.GOOD, text)


def test_a_string_whose_bytes_are_swapped_is_read_with_byte_order_low_first() -> None:
    swapped = point("string", length=2, byte_order="low_first")
    assert decode_point(swapped, registers_of(b"NS1-")).text == "SN-1"


@pytest.mark.parametrize("data", [b"\xff\xfeSN", b"SN\x80\x81", b"S\x07N1", b"\xc3\x28SN"])
def test_registers_that_hold_no_text_are_no_text(data: bytes) -> None:
    decoded = decode_point(point("string", length=2), registers_of(data))
    assert decoded[1:] == Judged(None, None, Quality.NOT_TEXT, None)


def test_a_string_of_nuls_is_not_implemented() -> None:
    assert decode_point(point("string", length=3), [0, 0, 0]).quality is Quality.NOT_IMPLEMENTED


def test_a_whole_register_that_is_not_implemented_leaves_its_bits_without_a_value() -> None:
    for kind, fields in (("bit", {"bit": 3}), ("bits16", {})):
        decoded = decode_point(point(kind, not_implemented=[0xFFFF], **fields), [0xFFFF])
        assert (decoded.value, decoded.quality) == (None, Quality.NOT_IMPLEMENTED)


def test_the_flags_of_a_bitfield_are_told_by_name_and_one_without_a_name_by_its_number() -> None:
    alarms = point("bits16", flags={"over_temperature": 4, "over_voltage": 0})
    assert flag_names(alarms, float(0b10011)) == ["over_voltage", "bit_1", "over_temperature"]
    assert flag_names(alarms, 0.0) == []
    assert flag_names(alarms, None) == []
    assert flag_names(point("bits32", flags={"last": 31}), float(1 << 31)) == ["last"]


def test_points_that_mean_the_same_share_what_they_worked_out_and_points_that_do_not_never() -> None:
    for fields in ({}, {"scale": 0.1}, {"offset": 5}, {"not_implemented": [7]}, {"plausible": [0, 6]}):
        for name in ("a", "b"):
            of = point("u16", name=name, danger="low", **fields)
            expected = {
                "scale": 0.7,
                "offset": 12.0,
                "not_implemented": None,
                "plausible": None,
            }.get(next(iter(fields), ""), 7.0)
            assert decode_point(of, [7]).value == expected
    assert decode_point(point("u16", danger="high", plausible=[0, 6]), [7]).value == 7.0


def test_a_device_that_talks_nonsense_all_day_is_decoded_right_all_the_same() -> None:
    of = point("s16", scale=0.1)
    assert [decode_point(of, [raw]).value for raw in range(40_000, 60_000)] == [
        (raw - 65_536) / 10 for raw in range(40_000, 60_000)
    ]


def test_the_whole_keti_map_decodes_every_register_under_its_own_name() -> None:
    """Each register shows its own address, so every raw value tells where it was taken from."""
    keti = bundled_map("keti_testbed")
    for block in plan_blocks(keti):
        for of, judged in block.decode(range(block.start, block.last + 1)):
            read = judged.suspect_value if judged.value is None else judged.value
            assert read == float(Decimal(keti.wire_address(of.address)) * of.scale), of.name


@settings(deadline=None)
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


def orders(kind: PointType, low_first: bool, low_byte_first: bool) -> dict[str, object]:
    word_order = {"word_order": "low_first" if low_first else "high_first"} if kind.registers > 1 else {}
    return {**word_order, "byte_order": "low_first" if low_byte_first else "high_first"}


@settings(deadline=None)
@given(
    kind=NARROW,
    low_first=st.booleans(),
    low_byte_first=st.booleans(),
    scale=SCALES,
    offset=OFFSETS,
    data=st.data(),
)
def test_what_a_device_shows_of_a_value_is_read_back_as_that_value(
    kind: PointType, low_first: bool, low_byte_first: bool, scale: str, offset: str, data: st.DataObject
) -> None:
    raw = data.draw(st.integers(*kind.raw_range))
    fields = orders(kind, low_first, low_byte_first)
    of = point(kind, scale=Decimal(scale), offset=Decimal(offset), **fields)
    value = float(Decimal(raw) * of.scale + of.offset)
    assert decode_point(of, encode_point(of, value)).value == value


@settings(deadline=None)
@given(
    kind=st.sampled_from([PointType.S64, PointType.U64, PointType.BITS16, PointType.BITS32, PointType.BIT]),
    low_first=st.booleans(),
    low_byte_first=st.booleans(),
    data=st.data(),
)
def test_wide_integers_bits_and_flags_survive_the_registers(
    kind: PointType, low_first: bool, low_byte_first: bool, data: st.DataObject
) -> None:
    fields = orders(kind, low_first, low_byte_first)
    if kind is PointType.BIT:
        fields["bit"] = data.draw(st.integers(0, 15))
    of = point(kind, **fields)
    # Up to 53 bits, as far as a float counts.
    lowest, highest = kind.raw_range
    value = float(data.draw(st.integers(max(lowest, -(2**53)), min(highest, 2**53))))
    registers = encode_point(of, value)
    assert len(registers) == of.registers
    assert decode_point(of, registers).value == value


@settings(deadline=None)
@given(
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.sampled_from(list(WordOrder)),
    st.sampled_from(list(ByteOrder)),
    st.sampled_from(["f32", "f64"]),
)
def test_a_float_survives_the_registers_exactly(
    value: float, words: WordOrder, in_words: ByteOrder, kind: str
) -> None:
    of = point(kind, word_order=words, byte_order=in_words)
    assert decode_point(of, encode_point(of, value)).value == value


PRINTABLE = st.characters(codec="utf-8", exclude_categories=["C", "Z"]).filter(str.isprintable)


@settings(deadline=None)
@given(st.text(PRINTABLE, max_size=5), st.sampled_from(list(ByteOrder)))
def test_a_text_survives_the_registers(text: str, order: ByteOrder) -> None:
    of = point("string", length=10, byte_order=order)
    assert decode_point(of, encode_point(of, text)).text == text
    assert decode_point(of, encode_point(of, None)).quality is Quality.NOT_IMPLEMENTED


@settings(deadline=None)
@given(st.lists(st.integers(0, 0xFFFF), min_size=4, max_size=4), st.sampled_from(list(ByteOrder)))
def test_any_registers_of_a_string_are_text_or_none_and_never_an_error(
    registers: list[int], order: ByteOrder
) -> None:
    decoded = decode_point(point("string", length=4, byte_order=order), registers)
    assert decoded.value is decoded.suspect_value is None
    assert (decoded.text is not None) == (decoded.quality is Quality.GOOD)
    assert "\0" not in (decoded.text or "")


@pytest.mark.parametrize(
    ("of", "value"),
    [
        (point("string", length=2), "12345"),
        (point("string", length=2), " 12"),
        (point("string", length=2), "a\0b"),
        (point("string", length=2), 5.0),
        (point("u16"), "5"),
        (point("bit", bit=3), 2.0),
        (point("bits16"), 65536.0),
    ],
)
def test_what_a_string_a_bit_or_a_bitfield_cannot_show_is_refused(of: Point, value: float | str) -> None:
    with pytest.raises(InvalidConfigurationError, match=r"point p .*cannot show"):
        encode_point(of, value)


@settings(deadline=None)
@given(st.lists(st.integers(0, 0xFFFF), min_size=2, max_size=2), st.sampled_from(["s32", "u32", "f32"]))
def test_any_registers_yield_a_finite_value_or_none(registers: list[int], kind: str) -> None:
    decoded = decode_point(point(kind, plausible=[-10, 10], danger="low"), registers)
    assert (decoded.value is None) == (
        decoded.quality in (Quality.NOT_FINITE, Quality.NOT_IMPLEMENTED, Quality.IMPLAUSIBLE_SAFE)
    )
    assume(decoded.value is not None)
    assert decoded.value is not None
    assert math.isfinite(decoded.value)
