"""Protocol maps as everything else sees them: flat, found by name, and with a content that never changes."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from pydantic import ValidationError

from sos_ops.errors import InvalidConfigurationError, UnknownNameError
from sos_ops.modbus.protocol_map import (
    Point,
    PointType,
    ProtocolMap,
    ReadFunction,
    RegisterMask,
    RegisterRange,
    bundled_map,
    bundled_map_names,
)


def map_of(**changes: object) -> ProtocolMap:
    plain = {
        "name": "plain",
        "version": 1,
        "description": "",
        "read_function": "holding",
        "addressing": "zero_based",
        "points": [{"name": "a", "address": 1, "type": "u16"}],
    }
    return ProtocolMap.model_validate({**plain, **changes})


def test_a_point_that_names_no_table_is_read_from_the_maps() -> None:
    assert map_of().points[0].function is ReadFunction.HOLDING
    assert map_of(points=[Point(name="a", address=1, type=PointType.U16)]).points[0].function is (
        ReadFunction.HOLDING
    )
    said = [{"name": "a", "address": 1, "type": "u16", "function": "input"}]
    assert map_of(points=said).points[0].function is ReadFunction.INPUT


def test_the_content_of_a_map_is_the_same_in_any_year() -> None:
    """Stored maps are found by these bytes: no default may change, and no new field may show at its default."""
    assert map_of(
        description="über 40 °C",
        denied=[{"table": "holding", "address": 9, "why": "it bites"}],
        pause_between_requests_s=0.10,
        points=[
            {"name": "a", "address": 1, "type": "u16", "scale": "0.10", "plausible": [0, 100.0]},
            {"name": "b", "address": 2, "type": "bits16", "flags": {"z": 1, "y": 0}, "function": "input"},
        ],
    ).content() == (
        '{"addressing":"zero_based","denied":[{"address":9,"table":"holding","why":"it bites"}],'
        '"description":"über 40 °C","name":"plain","pause_between_requests_s":"0.1","points":['
        '{"address":1,"function":"holding","name":"a","plausible":["0","100"],"scale":"0.1","type":"u16"},'
        '{"address":2,"flags":{"y":0,"z":1},"function":"input","name":"b","type":"bits16"}],'
        '"read_function":"holding","version":1}'
    )
    assert map_of().sha256 == "257ba894513ed3cef8bd6f98c6d3a8b7883d6e3ecb58c0b06734e9dbb342c32c"


@pytest.mark.parametrize("name", bundled_map_names())
def test_a_map_comes_back_from_its_content_to_the_last_byte(name: str) -> None:
    original = bundled_map(name)
    back = ProtocolMap.from_content(original.content())
    assert back == original
    assert (back.content(), back.sha256) == (original.content(), original.sha256)


@pytest.mark.parametrize(
    "written", ["0.1", "0.10", "1e-1", 0.1, Decimal("0.100")], ids=lambda written: repr(written)
)
def test_a_number_has_one_content_however_it_is_written(written: object) -> None:
    points = [{"name": "a", "address": 1, "type": "u16", "scale": written}]
    assert json.loads(map_of(points=points).content())["points"][0]["scale"] == "0.1"


def test_large_and_small_numbers_keep_their_value_in_the_content() -> None:
    for written, content in (("1e6", "1000000"), ("-0.0", None), ("1e-9", "1E-9"), ("-40", "-40")):
        points = [{"name": "a", "address": 1, "type": "u16", "offset": written}]
        changed = map_of(points=points)
        assert json.loads(changed.content())["points"][0].get("offset") == content
        assert ProtocolMap.from_content(changed.content()).points[0].offset == Decimal(written)


def test_another_map_has_another_sha256_and_a_changed_copy_too() -> None:
    plain = map_of()
    first = plain.sha256
    assert plain.model_copy(update={"version": 2}).sha256 == map_of(version=2).sha256 != first
    wide = plain.model_copy(
        update={"points": (*plain.points, Point(name="b", address=5, type=PointType.U16))}
    )
    assert wide.point("b").address == 5


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "{", '{"name": 1}', '{"points": [{}]}'])
def test_what_is_no_content_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(InvalidConfigurationError, match="stored protocol map: ") as raised:
        ProtocolMap.from_content(text)
    assert str(raised.value).isprintable()


def test_a_map_made_by_hand_is_checked_like_one_from_a_file() -> None:
    with pytest.raises(ValidationError, match="point b: holding register 1 belongs to a already"):
        map_of(points=[{"name": n, "address": 1, "type": "u16"} for n in "ab"])
    with pytest.raises(ValidationError, match="function"):
        map_of(points=[{"name": "a", "address": 1, "type": "u16", "function": "coil"}])


def test_a_map_knows_its_points_by_name_only() -> None:
    assert bundled_map("keti_bank").point("soc").address == 0
    with pytest.raises(UnknownNameError, match="protocol map keti_bank has no point speed"):
        bundled_map("keti_bank").point("speed")
    with pytest.raises(
        UnknownNameError, match="protocol map keti_bank has no writable point soc; there are: none"
    ):
        bundled_map("keti_bank").writable_point("soc")


def test_ranges_touch_where_they_share_a_register_of_one_table() -> None:
    a = RegisterRange(ReadFunction.INPUT, 10, 5)
    assert a.stop == 15
    assert a.touches(RegisterRange(ReadFunction.INPUT, 14, 1))
    assert not a.touches(RegisterRange(ReadFunction.INPUT, 15, 1))
    assert not a.touches(RegisterRange(ReadFunction.INPUT, 5, 5))
    assert not a.touches(RegisterRange(ReadFunction.HOLDING, 10, 5))


def test_a_mask_tells_the_first_register_a_range_shares_with_it() -> None:
    mask = RegisterMask(
        [RegisterRange(ReadFunction.INPUT, 10, 5), RegisterRange(ReadFunction.INPUT, 65_530, 99)]
    )
    assert mask.first_in(RegisterRange(ReadFunction.INPUT, 0, 100)) == 10
    assert mask.first_in(RegisterRange(ReadFunction.INPUT, 12, 1)) == 12
    assert mask.first_in(RegisterRange(ReadFunction.INPUT, 15, 100)) is None
    assert mask.first_in(RegisterRange(ReadFunction.INPUT, 10, 0)) is None
    assert mask.first_in(RegisterRange(ReadFunction.HOLDING, 0, 65_536)) is None
    assert mask.first_in(RegisterRange(ReadFunction.INPUT, 65_535, 1)) == 65_535
