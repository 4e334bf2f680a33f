"""Which requests read a map."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sos_ops.modbus.plan import plan_blocks
from sos_ops.modbus.protocol_map import ProtocolMap, bundled_map


def map_of(*points: tuple[int, str], **changes: object) -> ProtocolMap:
    head = {
        "name": "plain",
        "version": 1,
        "description": "",
        "read_function": "input",
        "addressing": "zero_based",
    }
    listed = [
        {
            "name": f"p{a}",
            "address": a,
            "type": t,
            **({} if t.endswith("16") else {"word_order": "high_first"}),
        }
        for a, t in points
    ]
    return ProtocolMap.model_validate({**head, "points": listed, **changes})


def spans(protocol_map: ProtocolMap) -> list[tuple[int, int]]:
    return [(block.start, block.count) for block in plan_blocks(protocol_map)]


def test_the_keti_bank_is_one_request() -> None:
    assert spans(bundled_map("keti_bank")) == [(0, 13)]


def test_a_small_gap_is_read_along_and_a_large_one_is_not() -> None:
    assert spans(map_of((0, "u16"), (9, "u16"), max_gap=8)) == [(0, 10)]
    assert spans(map_of((0, "u16"), (10, "u16"), max_gap=8)) == [(0, 1), (10, 1)]


def test_a_denied_register_is_never_read_in_passing() -> None:
    assert spans(map_of((97, "u16"), (98, "u16"), (100, "u16"), denied_registers=[99])) == [(97, 2), (100, 1)]


def test_one_based_addresses_and_denials_are_one_lower_on_the_wire() -> None:
    assert spans(map_of((98, "u16"), (100, "u16"), denied_registers=[99], addressing="one_based")) == [
        (97, 1),
        (99, 1),
    ]


def test_a_point_is_never_cut_in_two() -> None:
    assert spans(map_of((0, "u16"), (1, "u32"), (3, "u16"), max_registers_per_request=2)) == [
        (0, 1),
        (1, 2),
        (3, 1),
    ]


def test_the_order_in_the_file_does_not_matter() -> None:
    assert spans(map_of((5, "u16"), (0, "u16"), (3, "u32"))) == [(0, 6)]


POINT_LISTS = st.lists(st.tuples(st.integers(0, 30), st.sampled_from([1, 2, 4])), min_size=1, max_size=40)


@given(
    gaps_and_widths=POINT_LISTS,
    most=st.integers(4, 125),
    max_gap=st.integers(0, 20),
    denied=st.sets(st.integers(0, 600), max_size=40),
    one_based=st.booleans(),
)
def test_any_map_is_covered_exactly_within_its_limits(
    gaps_and_widths: list[tuple[int, int]], most: int, max_gap: int, denied: set[int], one_based: bool
) -> None:
    address, points, used = int(one_based), [], set[int]()
    for gap, width in gaps_and_widths:
        address += gap
        points.append((address, {1: "u16", 2: "u32", 4: "u64"}[width]))
        used.update(range(address, address + width))
        address += width
    denied -= used
    plain = map_of(
        *points,
        max_registers_per_request=most,
        max_gap=max_gap,
        denied_registers=sorted(denied),
        addressing="one_based" if one_based else "zero_based",
    )
    blocks = plan_blocks(plain)
    read = [register for block in blocks for register in range(block.start, block.last + 1)]
    assert len(read) == len(set(read))
    assert denied.isdisjoint(register + one_based for register in read)
    assert all(1 <= block.count <= most for block in blocks)
    assert [point.name for block in blocks for point in block.points] == [f"p{a}" for a, _ in points]
    for block in blocks:
        # Every register holds its own address, so a value tells where it was taken from.
        for point, (value, _, _) in block.decode(range(block.start, block.last + 1)):
            own = range(point.address - one_based, point.address - one_based + point.registers)
            assert value == float(sum(register << 16 * place for place, register in enumerate(reversed(own))))


@pytest.mark.parametrize("count", [0, 12, 14])
def test_another_number_of_registers_than_the_blocks_is_refused(count: int) -> None:
    (block,) = plan_blocks(bundled_map("keti_bank"))
    with pytest.raises(ValueError, match="the block has 13 registers"):
        block.decode([0] * count)
