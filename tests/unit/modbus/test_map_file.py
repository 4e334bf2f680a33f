"""The language of map files: what a person may write, and what comes of it."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import yaml

from sos_ops.modbus.protocol_map import (
    ByteOrder,
    Danger,
    PointType,
    ProtocolMap,
    ReadFunction,
    RegisterRange,
    bundled_map,
)
from tests.support.map_files import GOOD, GROUPS, HEAD, load


def places(protocol_map: ProtocolMap) -> dict[str, tuple[ReadFunction, int]]:
    return {point.name: (point.function, point.address) for point in protocol_map.points}


def test_a_good_file_is_a_map(tmp_path: Path) -> None:
    rack = load(tmp_path, GOOD)
    assert (rack.name, rack.version, rack.read_function) == ("rack", 1, ReadFunction.HOLDING)
    assert (rack.max_registers_per_request, rack.max_gap, rack.pause_between_requests_s) == (125, 8, 0)
    assert rack.point("energy").registers == 2
    assert rack.point("soc").danger is Danger.BOTH
    assert rack.point("soc").byte_order is ByteOrder.HIGH_FIRST


def test_every_field_of_the_language_arrives(tmp_path: Path) -> None:
    rack = load(
        tmp_path,
        HEAD
        + """\
max_registers_per_request: 60
max_gap: 2
pause_between_requests_s: 0.05
denied:
  - {table: holding, address: 99, why: it resets the controller}
unreadable:
  - {table: input, address: 30, count: 4, why: answers exception 2}
points:
  - {name: soc, address: 0, type: s16, read_function: input, byte_order: low_first, scale: 0.1, offset: -5, unit: "%",
     not_implemented: [0x8000], plausible: [0, 1e2], danger: low}
  - {name: running, address: 1, type: bit, bit: 3}
  - {name: alarms, address: 1, type: bits16, flags: {hot: 0, cold: 1}}
  - {name: serial_number, address: 10, type: string, length: 8}
  - {name: energy, address: 20, type: u64, word_order: high_first}
""",
    )
    soc = rack.point("soc")
    assert (soc.function, soc.type, soc.byte_order) == (
        ReadFunction.INPUT,
        PointType.S16,
        ByteOrder.LOW_FIRST,
    )
    assert (soc.scale, soc.offset, soc.unit, soc.danger) == (Decimal("0.1"), Decimal(-5), "%", Danger.LOW)
    assert (soc.not_implemented_patterns, soc.plausible) == ({0x8000}, (0, 100))
    assert (rack.max_registers_per_request, rack.max_gap) == (60, 2)
    assert rack.pause_between_requests_s == Decimal("0.05")
    assert rack.denied_ranges == (RegisterRange(ReadFunction.HOLDING, 99, 1),)
    assert rack.denied[0].why == "it resets the controller"
    assert rack.forbidden_ranges[1] == RegisterRange(ReadFunction.INPUT, 30, 4)
    assert (rack.point("running").bit, rack.point("alarms").flags) == (3, {"hot": 0, "cold": 1})
    assert rack.registers_of(rack.point("serial_number")) == RegisterRange(ReadFunction.HOLDING, 10, 8)
    assert rack.point("energy").registers == 4


def test_groups_are_written_out_with_their_numbers_and_addresses_of_their_own(tmp_path: Path) -> None:
    rack = load(tmp_path, GROUPS)
    found = places(rack)
    assert len(found) == 1 + 2 * (2 + 3 * 4)
    assert found["soc"] == (ReadFunction.HOLDING, 0)
    assert found["rack1_soc"] == (ReadFunction.HOLDING, 100)
    assert found["rack2_soc"] == (ReadFunction.HOLDING, 150)
    assert found["rack2_energy"] == (ReadFunction.INPUT, 151)
    assert found["rack1_module1_cell0_voltage"] == (ReadFunction.INPUT, 111)
    assert found["rack2_module3_cell3_voltage"] == (ReadFunction.INPUT, 150 + 10 + 2 * 8 + 1 + 3 * 2)
    assert rack.point("rack2_module3_cell3_voltage").scale == Decimal("0.001")


def test_in_a_one_based_map_a_groups_start_is_one_based_and_its_points_count_from_there(
    tmp_path: Path,
) -> None:
    rack = load(
        tmp_path,
        GROUPS.replace("zero_based", "one_based").replace(
            "soc, address: 0, type: u16}\ng", "soc, address: 1, type: u16}\ng"
        ),
    )
    assert rack.registers_of(rack.point("rack1_soc")).start == 99
    assert rack.registers_of(rack.point("rack1_energy")).start == 100


def test_two_groups_of_one_name_continue_each_other(tmp_path: Path) -> None:
    more = """\
  - name: rack
    address: 1000
    count: 2
    stride: 1
    points:
      - {name: state, address: 0, type: u16}
"""
    found = places(load(tmp_path, GROUPS + more))
    assert found["rack2_state"] == (ReadFunction.HOLDING, 1001)
    assert "rack2_soc" in found


def test_anchors_spare_writing_and_change_nothing(tmp_path: Path) -> None:
    text = GOOD.replace(
        "- {name: soc, address: 0, type: u16}",
        "- &plain {name: soc, address: 0, type: u16}\n  - {<<: *plain, name: soh, address: 5}",
    )
    assert places(load(tmp_path, text))["soh"] == (ReadFunction.HOLDING, 5)


def test_a_lone_copy_needs_no_stride_and_bears_its_number(tmp_path: Path) -> None:
    text = (
        HEAD
        + "groups:\n  - {name: pcs, address: 9, count: 1, points: [{name: power, address: 1, type: u16}]}\n"
    )
    assert places(load(tmp_path, text)) == {"pcs1_power": (ReadFunction.HOLDING, 10)}


def test_the_bundled_maps_say_the_same_written_out_point_by_point(tmp_path: Path) -> None:
    """Groups are only a shorter way to write points."""
    testbed = bundled_map("keti_testbed")
    fields = yaml.safe_load(testbed.content())
    for point in fields["points"]:
        point["read_function"] = point.pop("function")
        for field in ("scale", "offset"):
            if field in point:
                point[field] = float(point[field])
        if "plausible" in point:
            point["plausible"] = [float(bound) for bound in point["plausible"]]
    fields["points"] = fields["points"][:250]
    loaded = load(tmp_path, yaml.safe_dump(fields))
    assert loaded.points == testbed.points[:250]
