"""From everything a device answered to what is wrong: pure, so that it can be tested without a device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sos_ops.modbus.failures import FailureReason
from sos_ops.modbus.minute_budget import Fit, fit_of, fit_sentence
from sos_ops.modbus.poll import DeviceAddress
from sos_ops.modbus.probe import blocks, guesses, points
from sos_ops.modbus.probe.report import BlockReport, Finding, ProbeReport, Severity
from sos_ops.modbus.probe.samples import BlockSamples, Series, all_series, register_images
from sos_ops.modbus.protocol_map import ProtocolMap

_SLOW_REQUEST_S = 1.0

_ADVICE = {
    FailureReason.WRONG_TRANSACTION: (
        "its transaction ids are not those of the requests. Some converters lose them in a transparent or raw "
        "TCP mode: set it to Modbus TCP to RTU gateway mode. Such answers are never used"
    ),
    FailureReason.WRONG_UNIT: "another unit answers: check the unit id, and that no two devices share one",
    FailureReason.WRONG_FUNCTION: "it answers for the other register table: check read_function",
    FailureReason.WRONG_PROTOCOL: "what answers does not speak Modbus TCP: check the port",
    FailureReason.SHORT_ANSWER: "it answers fewer registers than asked: try a smaller max_registers_per_request",
    FailureReason.LONG_ANSWER: "it answers more registers than asked: another master may share the line",
    FailureReason.MALFORMED: "its frames contradict themselves: RTU over TCP, or another protocol, on this port",
    FailureReason.TIMEOUT: (
        "some requests got no answer in time: a longer pause (--pause 0.5), a smaller "
        "max_registers_per_request, or another master on the line"
    ),
    FailureReason.CONNECTION_LOST: (
        "it hangs up between requests: many converters serve one connection only, so look for another master"
    ),
    FailureReason.EXCEPTION_5: "it was not ready at times: write pause_between_requests_s",
    FailureReason.EXCEPTION_6: "it was busy at times: write pause_between_requests_s, or look for another master",
    FailureReason.EXCEPTION_10: "the converter has no path to the unit: check its configuration",
    FailureReason.EXCEPTION_11: (
        "the converter got no answer from the unit at times: check unit id, baud rate, parity and wiring, and "
        "write pause_between_requests_s"
    ),
}


@dataclass(frozen=True)
class Evidence:
    """What a device answered.

    Attributes:
        device: Which device.
        protocol_map: What it is thought to be.
        samples: The blocks of the plan, each with as many samples.
        request_seconds: How long each answered request took, shortest first, s.
        failures: How many requests failed, by reason.
        said: What each reason was in words, the first time.
        seconds: How long the probe took.
        unreachable: Why the device could not be asked, or None.
        cut_short: Why it was not asked to the end, or None.
    """

    device: DeviceAddress
    protocol_map: ProtocolMap
    samples: Sequence[BlockSamples]
    request_seconds: Sequence[float]
    failures: Mapping[FailureReason, int]
    said: Mapping[FailureReason, str]
    seconds: float
    unreachable: str | None = None
    cut_short: str | None = None


def judge(evidence: Evidence) -> ProbeReport:
    """Everything that is wrong or worth a look, worst first."""
    protocol_map, samples = evidence.protocol_map, evidence.samples
    series = all_series(protocol_map, samples)
    count = max((len(one.whole) for one in samples), default=0)
    block_reports = blocks.reports(samples)
    plan_seconds = _plan_seconds(evidence, block_reports)
    findings: list[Finding] = []
    if evidence.unreachable is None:
        why = _why_it_does_not_fit(protocol_map, series, samples)
        turned = {name for finding in why for name in finding.points if finding.kind != "shifted"}
        findings += why
        findings += blocks.judge_comparison(samples, leave_out=turned)
        findings += blocks.judge_refusals(protocol_map, samples)
        findings += points.judge_values(series)
        findings += blocks.judge_gaps(protocol_map, samples)
        findings += points.judge_stillness(series, evidence.seconds)
        findings += _judge_line(evidence)
        findings += _judge_pace(evidence, plan_seconds)
    return ProbeReport(
        evidence.device,
        protocol_map.name,
        protocol_map.version,
        count,
        tuple(series),
        tuple(block_reports),
        tuple(sorted(findings, key=lambda finding: finding.severity is not Severity.WRONG)),
        tuple(evidence.request_seconds),
        plan_seconds,
        evidence.unreachable,
    )


def _why_it_does_not_fit(
    protocol_map: ProtocolMap, series: Sequence[Series], samples: Sequence[BlockSamples]
) -> list[Finding]:
    """The guesses about the map as a whole; where addresses are off, what order words are in cannot be told."""
    shifted = list(guesses.guess_shift(protocol_map, series, register_images(samples)))
    if shifted:
        return shifted
    single = [one for one in series if one.point.registers == 1]
    return [*guesses.guess_word_order(series), *guesses.guess_byte_order(single)]


def _judge_line(evidence: Evidence) -> Iterator[Finding]:
    if evidence.cut_short is not None:
        yield Finding(Severity.WRONG, "cut_short", f"it fell silent and was left alone: {evidence.cut_short}")
    for reason, times in evidence.failures.items():
        advice = _ADVICE.get(reason)
        if advice is not None:
            often = "once" if times == 1 else f"{times} times"
            yield Finding(Severity.WRONG, reason.value, f"{often}: {evidence.said[reason]}: {advice}")


def _judge_pace(evidence: Evidence, plan_seconds: float | None) -> Iterator[Finding]:
    if plan_seconds is not None and (fit := fit_of(plan_seconds)) is not Fit.QUICK:
        severity = Severity.WRONG if fit is Fit.NOT else Severity.LOOK
        yield Finding(severity, "slow_plan", f"the whole plan {fit_sentence(plan_seconds)}")
    if evidence.request_seconds and evidence.request_seconds[-1] >= _SLOW_REQUEST_S:
        yield Finding(
            Severity.LOOK,
            "slow_answer",
            f"the slowest answer took {evidence.request_seconds[-1]:.1f} s: devices of one line wait for each other",
        )


def _plan_seconds(evidence: Evidence, reports: Sequence[BlockReport]) -> float | None:
    medians = [report.median_s for report in reports]
    if not medians or any(median is None for median in medians):
        return None
    pauses = float(evidence.protocol_map.pause_between_requests_s) * (len(medians) - 1)
    return sum(median for median in medians if median is not None) + pauses
