"""What the probe concludes from answers, without a device."""

from __future__ import annotations

from decimal import Decimal

import pytest

from sos_ops.modbus.encode import encode_point
from sos_ops.modbus.failures import FailureReason, ModbusReadError
from sos_ops.modbus.minute_budget import fit_sentence
from sos_ops.modbus.plan import plan_blocks
from sos_ops.modbus.poll import DeviceAddress
from sos_ops.modbus.probe import ProbeReport, Severity
from sos_ops.modbus.probe.judging import Evidence, judge
from sos_ops.modbus.probe.samples import Answer, BlockSamples
from sos_ops.modbus.probe.sense import makes_sense, spread, swapped_bytes, swapped_words
from sos_ops.modbus.protocol_map import Point, ProtocolMap, bundled_map

KETI = bundled_map("keti_bank")
NORMAL = [55.0, 97.0, 750.0, 20.0, 15.0, 3.71, 3.69, 27.0, 25.0, 26.5, 25.5, 48.0, 44.0]


def registers(values: list[float], protocol_map: ProtocolMap = KETI) -> tuple[int, ...]:
    return tuple(
        register
        for point, value in zip(protocol_map.points, values, strict=True)
        for register in encode_point(point, value)
    )


def judged(
    wholes: list[Answer],
    singles: list[dict[str, Answer]] | None = None,
    protocol_map: ProtocolMap = KETI,
    *,
    seconds: tuple[float, ...] = (0.01,),
    failures: dict[FailureReason, int] | None = None,
) -> ProbeReport:
    (block,) = plan_blocks(protocol_map)
    single = singles or [{} for _ in wholes]
    samples = [BlockSamples(block, wholes, single, {}, list(seconds) * len(wholes))]
    said = dict.fromkeys(failures or {}, "10.0.0.5:502 unit 1 did this")
    return judge(
        Evidence(DeviceAddress("bms", "10.0.0.5"), protocol_map, samples, seconds, failures or {}, said, 5.0)
    )


def kinds(report: ProbeReport) -> set[str]:
    return {finding.kind for finding in report.findings}


def one_point(**fields: object) -> Point:
    return Point.model_validate({"name": "x", "address": 0, "type": "u16", **fields})


def test_a_block_and_single_reads_that_moved_on_are_the_same() -> None:
    later = [value * 1.005 for value in NORMAL]
    single: dict[str, Answer] = {
        point.name: tuple(encode_point(point, value)) for point, value in zip(KETI.points, later, strict=True)
    }
    assert kinds(judged([registers(NORMAL)] * 3, [single] * 3)) <= {"nothing_moved"}


def test_one_odd_single_read_of_three_is_no_evidence_and_two_are() -> None:
    odd: dict[str, Answer] = {"voltage": tuple(encode_point(KETI.point("voltage"), 300.0))}
    same: dict[str, Answer] = {"voltage": tuple(encode_point(KETI.point("voltage"), 750.0))}
    wholes: list[Answer] = [registers(NORMAL)] * 3
    assert "block_differs" not in kinds(judged(wholes, [odd, same, same]))
    assert "block_differs" in kinds(judged(wholes, [odd, odd, same]))


def test_a_block_moved_by_two_says_by_how_much() -> None:
    moved = (0, 0, *registers(NORMAL)[:-2])
    single: dict[str, Answer] = {
        "voltage": registers(NORMAL)[2:3],
        "max_cell_voltage": registers(NORMAL)[5:6],
    }
    report = judged([moved] * 3, [single] * 3)
    (finding,) = [one for one in report.findings if one.kind == "reindexed"]
    assert "+2" in finding.text
    assert set(finding.points) == {"voltage", "max_cell_voltage"}


def test_standing_still_is_no_evidence_where_the_others_hardly_move_either() -> None:
    wholes: list[Answer] = []
    for sample in range(4):
        values = list(NORMAL)
        values[7 + sample % 4] += 0.1 * sample
        wholes.append(registers(values))
    assert "stuck" not in kinds(judged(wholes))


def test_one_implausible_sensor_does_not_make_addresses_off_by_one() -> None:
    values = [*NORMAL[:7], 500.0, *NORMAL[8:]]
    report = judged([registers(values)] * 3)
    assert "shifted" not in kinds(report)
    assert "implausible" in kinds(report)


def test_a_plan_that_does_not_fit_the_minute_is_wrong_and_one_of_the_slow_lane_worth_a_look() -> None:
    severities = {}
    for seconds in (14.0, 30.0, 51.0):
        found = [
            one for one in judged([registers(NORMAL)], seconds=(seconds,)).findings if one.kind == "slow_plan"
        ]
        severities[seconds] = [one.severity for one in found]
    assert severities == {14.0: [], 30.0: [Severity.LOOK], 51.0: [Severity.WRONG]}


def test_the_pauses_the_map_asks_for_count() -> None:
    patient = KETI.model_copy(update={"pause_between_requests_s": Decimal(5)})
    (block,) = plan_blocks(patient)
    samples = [BlockSamples(block, [registers(NORMAL)], [{}], {}, [0.5]) for _ in range(4)]
    evidence = Evidence(DeviceAddress("bms", "10.0.0.5"), patient, samples, (0.5,), {}, {}, 5.0)
    assert judge(evidence).plan_seconds == pytest.approx(4 * 0.5 + 3 * 5)


@pytest.mark.parametrize("reason", [reason for reason in FailureReason if reason.name.startswith("WRONG_")])
def test_every_contradiction_on_the_line_has_its_sentence(reason: FailureReason) -> None:
    if reason is FailureReason.WRONG_ECHO:  # the probe writes nothing
        return
    report = judged([registers(NORMAL)], failures={reason: 2})
    (finding,) = [one for one in report.findings if one.kind == reason.value]
    assert finding.text.startswith("2 times: 10.0.0.5:502 unit 1 did this: ")


def test_a_block_never_answered_names_its_points_and_the_failure() -> None:
    failure = ModbusReadError(FailureReason.TIMEOUT, "10.0.0.5:502 unit 1 did not answer within 3.0 s")
    report = judged([failure, failure])
    (finding,) = [one for one in report.findings if one.kind == "not_answered"]
    assert "registers 0 to 12 were never answered: did not answer within 3.0 s" in finding.text
    assert len(finding.points) == 13


@pytest.mark.parametrize(
    ("point", "read", "sense"),
    [
        (one_point(type="f32", word_order="high_first", unit="V"), (0x443B, 0x8000), True),  # 750 V
        (
            one_point(type="f32", word_order="high_first", unit="V"),
            (0x0000, 0x443B),
            False,
        ),  # 2.4e-41: turned round
        (one_point(type="f32", word_order="high_first"), (0x7FC0, 0x0000), False),
        (one_point(unit="°C", scale=0.1), (250,), True),
        (one_point(unit="°C", scale=0.1), (25000,), False),
        (one_point(name="cell1_voltage", unit="V", scale=0.001), (3700,), True),
        (one_point(name="cell1_voltage", unit="V", scale=0.001), (270,), False),
        (one_point(name="cell_voltage_gap", unit="V", scale=0.001), (20,), None),
        (one_point(), (7,), None),
        (one_point(unit="%", not_implemented=[0xFFFF]), (0xFFFF,), None),
    ],
)
def test_what_makes_sense(point: Point, read: tuple[int, ...], sense: bool | None) -> None:
    assert makes_sense(point, read) is sense


def test_turning_round_words_and_bytes() -> None:
    assert swapped_words((1, 2, 3)) == (3, 2, 1)
    assert swapped_bytes((0x1234, 0x00FF)) == (0x3412, 0xFF00)
    assert spread([10.0, 9.0]) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("seconds", "says"),
    [
        (7.6, "fits: 7.6 s"),
        (15.0, "may have to take over"),
        (30.0, "slow lane only"),
        (75.0, "does not fit a minute"),
    ],
)
def test_the_sentence_about_the_minute(seconds: float, says: str) -> None:
    assert says in fit_sentence(seconds)
