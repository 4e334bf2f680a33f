"""Which requests read a map."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.plan import Block, plan_blocks, serial_seconds, summarise
from sos_ops.modbus.protocol_map import ProtocolMap, ReadFunction, RegisterRange, bundled_map


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


def denial(address: int, count: int = 1, table: str = "input") -> dict[str, object]:
    return {"table": table, "address": address, "count": count, "why": "it bites"}


def test_a_denied_register_is_never_read_in_passing() -> None:
    around = [(97, "u16"), (98, "u16"), (100, "u16")]
    assert spans(map_of(*around, denied=[denial(99)])) == [(97, 2), (100, 1)]


def test_a_register_denied_in_one_table_may_be_read_in_the_other() -> None:
    around = [(97, "u16"), (98, "u16"), (100, "u16")]
    assert spans(map_of(*around, denied=[denial(99, table="holding")])) == [(97, 4)]


def test_an_unreadable_register_is_never_read_in_passing() -> None:
    hole = {"table": "input", "address": 3, "count": 2}
    assert spans(map_of((0, "u16"), (2, "u16"), (5, "u16"), unreadable=[hole])) == [(0, 3), (5, 1)]


def test_one_based_addresses_and_denials_are_one_lower_on_the_wire() -> None:
    based = map_of((98, "u16"), (100, "u16"), denied=[denial(99)], addressing="one_based")
    assert spans(based) == [(97, 1), (99, 1)]


def test_a_point_is_never_cut_in_two() -> None:
    assert spans(map_of((0, "u16"), (1, "u32"), (3, "u16"), max_registers_per_request=2)) == [
        (0, 1),
        (1, 2),
        (3, 1),
    ]


def test_the_order_in_the_file_does_not_matter() -> None:
    assert spans(map_of((5, "u16"), (0, "u16"), (3, "u32"))) == [(0, 6)]


def of_both_tables() -> ProtocolMap:
    mixed = [
        {"name": "a", "address": 0, "type": "u16", "function": "holding"},
        {"name": "b", "address": 1, "type": "u16"},
        {"name": "c", "address": 1, "type": "u16", "function": "holding"},
        {"name": "d", "address": 2, "type": "u16"},
    ]
    return map_of(points=mixed)


def test_the_two_tables_are_read_by_requests_of_their_own_the_input_registers_first() -> None:
    blocks = plan_blocks(of_both_tables())
    assert [(block.function, block.start, block.count) for block in blocks] == [
        (ReadFunction.INPUT, 1, 2),
        (ReadFunction.HOLDING, 0, 2),
    ]
    assert [[point.name for point in block.points] for block in blocks] == [["b", "d"], ["a", "c"]]


def test_bits_that_share_a_register_are_read_once_however_wide_their_neighbour() -> None:
    shared = map_of(
        points=[
            {"name": "alarms", "address": 10, "type": "bits32", "word_order": "high_first"},
            {"name": "first", "address": 10, "type": "bit", "bit": 0},
            {"name": "tenth", "address": 11, "type": "bit", "bit": 10},
        ]
    )
    (block,) = plan_blocks(shared)
    assert (block.start, block.count) == (10, 2)
    values = {point.name: judged.value for point, judged in block.decode([0x0001, 0x0400])}
    assert values == {"alarms": 65536.0 + 1024.0, "first": 1.0, "tenth": 1.0}


def test_points_left_out_and_points_on_bad_registers_are_not_read_and_the_others_are() -> None:
    plain = map_of((0, "u16"), (1, "u16"), (2, "u32"), (4, "u16"), (5, "u16"))
    bad = [RegisterRange(ReadFunction.INPUT, 3, 1)]
    blocks = plan_blocks(plain, unreadable=bad, leave_out={"p1", "of_an_older_map"})
    assert [(block.start, block.count) for block in blocks] == [(0, 1), (4, 2)]
    assert [point.name for block in blocks for point in block.points] == ["p0", "p4", "p5"]


def test_a_bad_register_of_the_other_table_costs_nothing() -> None:
    bad = [RegisterRange(ReadFunction.HOLDING, 0, 65_536)]
    assert [(b.start, b.count) for b in plan_blocks(map_of((0, "u16"), (1, "u16")), bad)] == [(0, 2)]


def test_when_everything_is_bad_nothing_is_read() -> None:
    assert plan_blocks(map_of((0, "u16")), [RegisterRange(ReadFunction.INPUT, 0, 1)]) == []


def test_the_maximum_and_the_gap_of_the_command_line_stand_above_the_maps() -> None:
    plain = map_of((0, "u16"), (3, "u16"), (20, "u16"), max_gap=2)
    assert [(b.start, b.count) for b in plan_blocks(plain, max_gap=20)] == [(0, 21)]
    assert [(b.start, b.count) for b in plan_blocks(plain, max_gap=20, max_registers=4)] == [(0, 4), (20, 1)]


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({"max_registers": 0}, "1 to 125 registers, not 0"),
        ({"max_registers": 126}, "1 to 125 registers, not 126"),
        ({"max_gap": -1}, "0 to 125 registers, not -1"),
        ({"max_registers": 1}, "point p0 has 2 registers, a request may have 1"),
    ],
)
def test_limits_nobody_can_keep_are_refused(limits: dict[str, int], reason: str) -> None:
    with pytest.raises(InvalidConfigurationError, match=reason):
        plan_blocks(map_of((0, "u32")), **limits)


def test_a_part_of_a_block_is_a_block_as_short_as_it_can_be() -> None:
    bank = bundled_map("keti_bank")
    (whole,) = plan_blocks(bank)
    part = Block.of(bank, whole.points[7:3:-1])
    assert (part.start, part.count, part.offsets) == (4, 4, (0, 1, 2, 3))
    assert [point.name for point in part.points] == [point.name for point in whole.points[4:8]]
    assert Block.of(bank, whole.points) == whole


def test_no_block_is_made_of_nothing_of_two_tables_or_over_a_denied_register() -> None:
    holed = map_of((0, "u16"), (2, "u16"), denied=[denial(1)])
    far = map_of((0, "u16"), (200, "u16"))
    for protocol_map, points, why in (
        (holed, (), "a block has points"),
        (of_both_tables(), of_both_tables().points, "all of one table"),
        (holed, holed.points, "reaches over register 1"),
        (far, far.points, "201 registers"),
    ):
        with pytest.raises(ValueError, match=why):
            Block.of(protocol_map, points)


def test_registers_used_and_wasted_are_told() -> None:
    summary = summarise(plan_blocks(map_of((0, "u32"), (5, "u16"), (100, "u16"))))
    assert (summary.requests, summary.points) == (2, 3)
    assert (summary.registers_used, summary.registers_wasted) == (4, 3)


def test_bits_that_share_a_register_use_it_once() -> None:
    bits = [{"name": f"b{n}", "address": 7, "type": "bit", "bit": n} for n in range(16)]
    summary = summarise(plan_blocks(map_of(points=bits)))
    assert (summary.points, summary.registers_used, summary.registers_wasted) == (16, 1, 0)


def test_a_request_takes_on_the_line_what_the_standard_says() -> None:
    """8 + 5 + 2 x 10 characters and twice 3.5 of silence, 11 bits each, at 9600 baud: 45.8 ms."""
    blocks = plan_blocks(map_of(*((address, "u16") for address in range(10))))
    assert serial_seconds(blocks, 9600, 0) == pytest.approx((33 + 7) * 11 / 9600)
    assert serial_seconds(blocks, 9600, 0.03) == pytest.approx(40 * 11 / 9600 + 0.03)
    assert serial_seconds(blocks * 3, 9600, 0.03) == pytest.approx(3 * (40 * 11 / 9600 + 0.03))
    # Above 19,200 baud the silence no longer shrinks: 1.75 ms.
    assert serial_seconds(blocks, 115_200, 0) == pytest.approx(33 * 11 / 115_200 + 2 * 0.00175)


@pytest.mark.parametrize(("baud", "turnaround_s"), [(0, 0.1), (-9600, 0.1), (9600, -0.1)])
def test_no_line_is_infinitely_slow_or_answers_before_it_is_asked(baud: int, turnaround_s: float) -> None:
    with pytest.raises(ValueError, match="positive baud rate"):
        serial_seconds([], baud, turnaround_s)


def test_the_whole_keti_map_is_23_full_requests_and_fits_a_minute_at_9600_baud() -> None:
    """2,594 registers: under 8 s with 50 ms for each answer, under 30 s with a whole second."""
    blocks = plan_blocks(bundled_map("keti_testbed"))
    summary = summarise(blocks)
    assert (summary.requests, summary.registers_used, summary.registers_wasted) == (23, 2594, 0)
    assert 7 < serial_seconds(blocks, 9600, turnaround_s=0.05) < 8
    assert serial_seconds(blocks, 9600, turnaround_s=1.0) < 30


def test_a_map_with_20_000_points_and_1_000_holes_is_planned_in_seconds() -> None:
    points = [{"name": f"p{a}", "address": a, "type": "u16"} for a in range(1, 40_000, 2)]
    holes = [{"table": "input", "address": a} for a in range(0, 2_000, 2)]
    large = map_of(points=points, unreadable=holes)
    assert sum(len(block.points) for block in plan_blocks(large)) == 20_000


KINDS = {1: "u16", 2: "u32", 4: "u64"}
POINT_LISTS = st.lists(
    st.tuples(st.integers(0, 30), st.sampled_from([1, 2, 4]), st.sampled_from(list(ReadFunction))),
    min_size=1,
    max_size=40,
)
RANGES = st.lists(
    st.builds(RegisterRange, st.sampled_from(list(ReadFunction)), st.integers(0, 600), st.integers(1, 20)),
    max_size=6,
)


@settings(deadline=None)
@given(
    laid_out=POINT_LISTS,
    most=st.integers(4, 125),
    max_gap=st.integers(0, 20),
    denied=st.sets(st.tuples(st.sampled_from(list(ReadFunction)), st.integers(0, 600)), max_size=40),
    bad=RANGES,
    leave_out=st.sets(st.integers(0, 39)),
    one_based=st.booleans(),
)
def test_any_map_is_covered_exactly_within_its_limits(
    laid_out: list[tuple[int, int, ReadFunction]],
    most: int,
    max_gap: int,
    denied: set[tuple[ReadFunction, int]],
    bad: list[RegisterRange],
    leave_out: set[int],
    one_based: bool,
) -> None:
    """Register by register, against the definition: nothing forbidden is read, nothing asked for is missing."""
    address, points, used = 0, [], {}
    for number, (gap, width, function) in enumerate(laid_out):
        address += gap
        points.append(
            {
                "name": f"p{number}",
                "address": address + one_based,
                "type": KINDS[width],
                "function": function,
                **({} if width == 1 else {"word_order": "high_first"}),
            }
        )
        used[f"p{number}"] = {(function, a) for a in range(address, address + width)}
        address += width
    denied -= set[tuple[ReadFunction, int]]().union(*used.values())
    plain = map_of(
        points=points,
        max_registers_per_request=most,
        max_gap=max_gap,
        denied=[denial(a + one_based, table=function) for function, a in denied],
        addressing="one_based" if one_based else "zero_based",
    )
    refused = {(one.function, a) for one in bad for a in range(one.start, one.stop)}
    names_left_out = {f"p{number}" for number in leave_out}
    blocks = plan_blocks(plain, bad, names_left_out)
    read = [(block.function, a) for block in blocks for a in range(block.start, block.last + 1)]
    assert len(read) == len(set(read))
    assert denied.isdisjoint(read)
    assert refused.isdisjoint(read)
    assert all(1 <= block.count <= most for block in blocks)
    assert {point.name for block in blocks for point in block.points} == {
        name for name, own in used.items() if name not in names_left_out and own.isdisjoint(refused)
    }
    for block in blocks:
        # Every register holds its own address, so a value tells where it was taken from.
        for point, judged in block.decode(range(block.start, block.last + 1)):
            own = sorted((a for _, a in used[point.name]), reverse=True)
            assert judged.value == float(sum(register << 16 * place for place, register in enumerate(own)))
        holes = sorted(
            set(range(block.start, block.last + 1))
            - {a for point in block.points for _, a in used[point.name]}
        )
        assert all(later - earlier > max_gap for earlier, later in zip(holes, holes[max_gap:], strict=False))


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 60), min_size=1, max_size=30, unique=True), st.integers(1, 20), st.integers(0, 5)
)
def test_no_plan_needs_fewer_requests(addresses: list[int], most: int, max_gap: int) -> None:
    """Against the best of all ways to cut the points into runs, found by trying them from the left."""
    plain = map_of(*((a, "u16") for a in addresses), max_registers_per_request=most, max_gap=max_gap)
    ordered = sorted(addresses)
    fewest = [0] + [len(ordered)] * len(ordered)
    for end in range(1, len(ordered) + 1):
        for begin in range(end):
            run = ordered[begin:end]
            gaps = (later - earlier - 1 for earlier, later in itertools.pairwise(run))
            if run[-1] - run[0] < most and all(gap <= max_gap for gap in gaps):
                fewest[end] = min(fewest[end], fewest[begin] + 1)
    assert len(plan_blocks(plain)) == fewest[-1]


@pytest.mark.parametrize("count", [0, 12, 14])
def test_another_number_of_registers_than_the_blocks_is_refused(count: int) -> None:
    (block,) = plan_blocks(bundled_map("keti_bank"))
    with pytest.raises(ValueError, match="the block has 13 registers"):
        block.decode([0] * count)
