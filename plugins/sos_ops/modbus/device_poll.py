"""The poll of one device: which registers it asks for, in which order, and what the answers come to.

First every block of the plan. Then, inside blocks that the device refused, the search for the bad registers.
Then the registers in quarantine whose time for a check has come.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from sos_ops.clock import Now
from sos_ops.modbus.ask import Answer, Ask, Asking
from sos_ops.modbus.failures import FailureReason, ModbusReadError
from sos_ops.modbus.plan import Block, plan_blocks
from sos_ops.modbus.poll import DeviceJob, PointReading, PollOutcome, PollResult, RawBlock
from sos_ops.modbus.protocol_map import ProtocolMap, ReadFunction
from sos_ops.modbus.quarantine import QuarantineOfPoll, quarantine_text
from sos_ops.modbus.search import Search

_LOG = logging.getLogger(__name__)

_SILENT_BLOCKS_TO_GIVE_UP = 2
_MOST_CHECKS = 16


class DevicePoll:
    """One poll of one device. It says what it `wants` to ask next and is told the answer; it never waits itself.

    A block that cannot be read fails alone. Once per poll a request is repeated, unless the device itself said
    no. A device that is silent on two blocks in a row is given up.

    Args:
        job: The device.
        plan: The plan of its map, when nothing is in quarantine.
        now: The platform's clock.
    """

    def __init__(self, job: DeviceJob, plan: Sequence[Block], now: Now) -> None:
        self.job = job
        self.heard = False
        """True once the device has answered anything in this poll, be it no."""
        self.begun = False
        """True once its turn has come."""
        self.wants: Ask | None = None
        """The next request; None when there is none."""
        self._now = now
        self._began_at = now()
        self._quarantine = QuarantineOfPoll(job.protocol_map, job.quarantined, self._began_at)
        self._blocks = _without(self._quarantine, job.protocol_map, plan)
        self._readings: list[PointReading] = []
        self._raw: list[RawBlock] = []
        self._done = 0
        self._failed: dict[int, ModbusReadError] = {}
        """What the blocks failed of, by their place in the plan."""
        self._refused: list[int] = []
        self._may_repeat = True
        self._steps = self._asking()
        self._ended_at: datetime | None = None
        self._abandoned_for: ModbusReadError | None = None
        self._line_is_slow = False

    @property
    def where(self) -> str:
        """The device for a sentence: `10.0.0.5:502 unit 3`."""
        return f"{self.job.device.host}:{self.job.device.port} unit {self.job.device.unit_id}"

    def begin(self) -> None:
        """The device's turn has come."""
        self.begun = True
        self._began_at = self._now()
        self.wants = next(self._steps, None)
        if self.wants is None:
            self._ended_at = self._now()

    def tell(self, answer: Answer) -> None:
        """Answer what it wanted."""
        if isinstance(answer, list) or answer.reason.is_own_no:
            self.heard = True
        try:
            self.wants = self._steps.send(answer)
        except StopIteration:
            self.wants = None
            self._ended_at = self._now()

    def run_out_of_time(self, *, line_answers: bool) -> None:
        """The deadline came; `line_answers` tells that the line is slow rather than dead."""
        self._line_is_slow = line_answers and not self._failed

    def abandon(self, failure: ModbusReadError) -> None:
        """Ask no more, because of this."""
        self._steps.close()
        self.wants = None
        self._ended_at = self._now()
        self._abandoned_for = failure

    def _asking(self) -> Asking[None]:
        if (yield from self._read_blocks()):
            yield from self._search_refused_blocks()
            yield from self._check_quarantine()

    def _read_blocks(self) -> Asking[bool]:
        """Read every block; False when the device was given up."""
        silent_in_a_row = 0
        unknown_functions: set[ReadFunction] = set()
        for number, block in enumerate(self._blocks):
            if block.function in unknown_functions:
                continue
            answer = yield from self._ask_with_one_repeat(number)
            if isinstance(answer, list):
                self._take(block, answer)
                self._done += 1
                silent_in_a_row = 0
                continue
            silent_in_a_row = silent_in_a_row + 1 if answer.reason.is_silence else 0
            if answer.reason.is_no_connection or silent_in_a_row == _SILENT_BLOCKS_TO_GIVE_UP:
                return False
            if answer.reason.is_refusal:
                self._refused.append(number)
            elif answer.reason is FailureReason.EXCEPTION_1 and not self._has_read(block.function):
                unknown_functions.add(block.function)  # the map is wrong about all of its blocks
        return True

    def _ask_with_one_repeat(self, number: int) -> Asking[Answer]:
        block = self._blocks[number]
        answer = yield Ask(block.function, block.start, block.count)
        if isinstance(answer, list):
            return answer
        self._failed[number] = answer
        if not self._may_repeat or not answer.reason.is_worth_repeating:
            return answer
        self._may_repeat = False
        answer = yield Ask(block.function, block.start, block.count, again=True)
        if isinstance(answer, list):
            del self._failed[number]
        else:
            self._failed[number] = answer
        return answer

    def _search_refused_blocks(self) -> Asking[None]:
        search = Search(self.job.protocol_map, self._take, anything_read=bool(self._raw))
        accounted_for = []
        try:
            for number in self._refused:
                if (yield from search.through(self._blocks[number])):
                    accounted_for.append(number)
        finally:  # also when time is over in the middle of it
            if search.anything_read:  # else the device is out of order, and its registers are not bad
                self._done += len(accounted_for)
                for number in accounted_for:
                    del self._failed[number]
                self._put_in_quarantine(search)

    def _put_in_quarantine(self, search: Search) -> None:
        for bad in search.bad:
            self._quarantine.found(bad.range, bad.points, bad.reason, self._now())
        for block in search.only_in_pieces:
            _LOG.warning(
                "%s refused %d registers from %d, then answered them in pieces: if this goes on, lower "
                "max_registers_per_request of map %s",
                *(self.where, block.count, block.start, self.job.protocol_map.name),
            )

    def _check_quarantine(self) -> Asking[None]:
        if not self._raw:
            return  # a device that answers nothing else says nothing about these
        self._restore_what_was_read_with_the_rest()
        for entry in self._quarantine.due(self._now())[:_MOST_CHECKS]:
            question = self._quarantine.question(entry)
            if question is None:
                continue
            answer = yield question
            if isinstance(answer, list):
                if entry.points:  # which restores them, as they are read
                    points = [self.job.protocol_map.point(name) for name in entry.points]
                    self._take(Block.of(self.job.protocol_map, points), answer)
                else:
                    self._quarantine.restored(entry, self._now())
            elif not answer.reason.is_no_connection:
                self._quarantine.confirmed(entry, answer.reason, self._now())
                if not answer.reason.is_exception:
                    return

    def _has_read(self, function: ReadFunction) -> bool:
        return any(block.function is function for block in self._raw)

    def _take(self, block: Block, registers: list[int]) -> None:
        read_at = self._now()
        self._raw.append(RawBlock(block.function, block.start, tuple(registers), read_at))
        self._readings += [
            PointReading(point.name, value, suspect_value, quality, point.unit, read_at, text)
            for point, (value, suspect_value, quality, text) in block.decode(registers)
        ]

    def result(self) -> PollResult:
        """What the poll came to. A device that still wanted to ask something was cut off by the deadline."""
        self._steps.close()
        self._restore_what_was_read_with_the_rest()
        missing = len(self._blocks) - self._done
        reasons = []
        failure = self._first_failure() if missing else None
        if failure is not None:
            of_all = f"{missing} of {len(self._blocks)} blocks not read: " if self._readings else ""
            reasons.append(f"{of_all}{failure}")
        in_quarantine = quarantine_text(self._quarantine.entries, len(self.job.protocol_map.points))
        if in_quarantine is not None:
            reasons.append(in_quarantine)
        outcome = PollOutcome.PARTIAL if reasons else PollOutcome.COMPLETE
        cause = failure.reason if failure is not None else FailureReason.QUARANTINE if reasons else None
        return PollResult(
            self.job.device.name,
            self._began_at,
            self._ended_at or self._now(),
            outcome if self._readings else PollOutcome.FAILED,
            cause,
            "; ".join(reasons) or None,
            tuple(self._readings),
            tuple(self._raw),
            tuple(self._quarantine.changes),
            unfinished=missing > 0 and self._ended_at is None and (self.heard or self._line_is_slow),
        )

    def _first_failure(self) -> ModbusReadError:
        """What kept blocks from being read: a failure of their own, being given up, or the deadline."""
        how_far = "had answered everything" if self.begun else "was asked"
        text = f"the time of the poll was over before {self.where} {how_far}"
        return (
            next(iter(self._failed.values()), None)
            or self._abandoned_for
            or ModbusReadError(FailureReason.DEADLINE, text)
        )

    def _restore_what_was_read_with_the_rest(self) -> None:
        if not self._quarantine.entries:
            return
        read = {reading.point for reading in self._readings}
        for entry in self._quarantine.entries:
            if entry.points and read.issuperset(entry.points):
                self._quarantine.restored(entry, self._now())


def _without(
    quarantine: QuarantineOfPoll, protocol_map: ProtocolMap, plan: Sequence[Block]
) -> Sequence[Block]:
    """The plan without what is in quarantine; the whole plan should nothing else be left to ask for."""
    if not quarantine.entries:
        return plan
    return plan_blocks(protocol_map, quarantine.ranges, quarantine.points) or plan
