"""What a probe found, in words a person can act on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from sos_ops.modbus.plan import Block
from sos_ops.modbus.poll import DeviceAddress
from sos_ops.modbus.probe.samples import Series


class Severity(StrEnum):
    """Whether something is wrong, or worth a look by somebody who knows the device."""

    WRONG = "wrong"
    LOOK = "look"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found.

    Attributes:
        severity: How bad.
        kind: One word that can be counted: `word_order`, `refused`, `stuck` ...
        text: One sentence, with what to do.
        points: The points it is about; none for the device or the line as a whole.
    """

    severity: Severity
    kind: str
    text: str
    points: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BlockReport:
    """One request of the plan: how long its answers took, and why it failed, if it did."""

    block: Block
    answered: int
    failed: int
    reason: str | None
    median_s: float | None


@dataclass(frozen=True, slots=True)
class ProbeReport:
    """Everything a probe found.

    Attributes:
        device: Which device.
        map_name: Which map, and its version.
        map_version: Raised with every change of the map.
        samples: How often everything was read.
        points: What each point showed, in the order of the map.
        blocks: The requests of the plan.
        findings: What is wrong, worst first.
        request_seconds: How long each answered request took, s, shortest first.
        plan_seconds: How long one reading of the whole plan takes at that pace, pauses included, s; None when
            not every block was answered.
        unreachable: Why the device could not be asked at all, or None.
    """

    device: DeviceAddress
    map_name: str
    map_version: int
    samples: int
    points: tuple[Series, ...] = ()
    blocks: tuple[BlockReport, ...] = ()
    findings: tuple[Finding, ...] = ()
    request_seconds: tuple[float, ...] = ()
    plan_seconds: float | None = None
    unreachable: str | None = None

    @property
    def exit_code(self) -> int:
        """0: all well; 1: something is wrong; 2: the device cannot be reached."""
        if self.unreachable is not None:
            return 2
        return int(any(finding.severity is Severity.WRONG for finding in self.findings))

    def findings_of(self, point: str) -> list[Finding]:
        """What was found about one point."""
        return [finding for finding in self.findings if point in finding.points]
