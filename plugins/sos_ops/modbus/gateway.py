"""Reading the devices behind one gateway (a host and port): in turn, over one line.

Devices that answer come first. One that is silent is asked again after all others had their turn; one that
failed in the last minutes comes last and is asked briefly. One that has many blocks on a slow line gives way
when its share of the time is over, and goes on when the others are done.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Mapping
from datetime import datetime

from sos_ops.clock import Now
from sos_ops.modbus.ask import Answer, Ask
from sos_ops.modbus.device_poll import DevicePoll
from sos_ops.modbus.failures import FailureReason, ModbusReadError
from sos_ops.modbus.line import Line
from sos_ops.modbus.poll import PollResult

_LOG = logging.getLogger(__name__)

_PAUSE_BEFORE_REPEAT_S = 0.1
_SECONDS_FOR_TROUBLED = 5.0
"""For units of one gateway that stay silent as they did in the last minutes, all together."""
_NEXT_TROUBLED = 3
"""Every minute begins with one so many places further on."""
_PATIENT_MINUTE = 5
"""Every so many minutes a troubled line is waited for longer, lest a slow one be taken for a dead one for ever."""


class Gateway:
    """The polls of one gateway's devices.

    Args:
        where: Host and port.
        polls: Its devices' polls by the place of their result.
        deadline: When everything must be over, by the event loop's clock, seconds.
        now: The platform's clock.
    """

    def __init__(
        self, where: tuple[str, int], polls: Mapping[int, DevicePoll], deadline: float, now: Now
    ) -> None:
        self._host, self._port = where
        self._polls = polls
        self._deadline = deadline
        began_at = now()
        self._patient = _minutes(began_at) % _PATIENT_MINUTE == 0
        self._left_for_troubled_s = _SECONDS_FOR_TROUBLED
        self._waiting = deque(_healthy_first(list(polls.values()), began_at))
        self._at_turn: DevicePoll | None = None
        self._pause_s = max(float(p.job.protocol_map.pause_between_requests_s) for p in polls.values())

    @property
    def only_troubled(self) -> bool:
        """True when no device of it answered in the last minutes."""
        return all(poll.job.troubled for poll in self._polls.values())

    @property
    def results(self) -> dict[int, PollResult]:
        """What each device's poll came to, by its place."""
        return {place: poll.result() for place, poll in self._polls.items()}

    async def read(self) -> None:
        """Read what can be read until the deadline."""
        line = Line(self._host, self._port, self._deadline, self._pause_s)
        try:
            while self._waiting and line.left_s > 0:
                self._at_turn = poll = self._waiting.popleft()
                if await self._give_turn(line, poll):
                    self._waiting.append(poll)
                self._at_turn = None
        finally:
            line.close()
        for poll in self._waiting:
            poll.run_out_of_time(line_answers=line.has_answered)
        self._waiting.clear()

    def blame(self, mistake: BaseException) -> None:
        """A mistake of ours in one device is that device's failure; the others are still to be read."""
        _LOG.error("polling %s:%s failed of our own mistake", self._host, self._port, exc_info=mistake)
        failure = ModbusReadError(FailureReason.INTERNAL, f"our own mistake, see the log: {mistake!r}")
        if self._at_turn is None:
            self._abandon_the_rest(failure)
        else:
            self._at_turn.abandon(failure)
            self._at_turn = None

    async def _give_turn(self, line: Line, poll: DevicePoll) -> bool:
        """Read from one device until it is done, or others should come first; True when it has to go on later."""
        if not poll.begun:
            poll.begin()
        others = len(self._waiting)
        time = asyncio.get_running_loop().time
        share_over_at = time() + line.left_s / (others + 1)
        asked = False
        while (ask := poll.wants) is not None:
            if asked and others and (ask.again or time() >= share_over_at):
                return True
            if asked and ask.again:
                await asyncio.sleep(min(_PAUSE_BEFORE_REPEAT_S, max(0.0, line.left_s)))
            if line.left_s <= 0:
                return True
            asked = True
            troubled = poll.job.troubled and not poll.heard
            answer = await (self._ask_troubled if troubled else self._ask)(line, poll, ask)
            if isinstance(answer, list):
                poll.tell(answer)
            elif self._is_cut_short(line, poll, ask, answer):
                return True
            else:
                self._tell_failure(line, poll, answer, final=troubled and not answer.reason.is_own_no)
        return False

    @staticmethod
    def _is_cut_short(line: Line, poll: DevicePoll, ask: Ask, failure: ModbusReadError) -> bool:
        """Whether it was the deadline that ended the waiting, on a line that does answer: slow, not silent."""
        answers = poll.heard or (line.has_answered and not ask.again)
        return answers and failure.reason is FailureReason.TIMEOUT and line.left_s <= 0

    def _tell_failure(self, line: Line, poll: DevicePoll, failure: ModbusReadError, *, final: bool) -> None:
        if line.down:
            poll.abandon(failure)
            self._abandon_the_rest(failure)
        elif final:
            poll.abandon(failure)
        else:
            poll.tell(failure)

    async def _ask(self, line: Line, poll: DevicePoll, ask: Ask) -> Answer:
        patience_s = line.patience_s(len(self._waiting), again=ask.again, brief=False)
        if poll.job.request_timeout_s is not None:
            patience_s = min(poll.job.request_timeout_s, line.left_s)
        return await line.ask(poll.job.device.unit_id, ask, patience_s, brief=False)

    async def _ask_troubled(self, line: Line, poll: DevicePoll, ask: Ask) -> Answer:
        """Ask briefly, and only while there is time for such."""
        if self._left_for_troubled_s <= 0:
            return ModbusReadError(
                FailureReason.TIMEOUT, f"{poll.where} did not answer when it was last asked"
            )
        began = asyncio.get_running_loop().time()
        brief = line.has_answered or not self._patient
        patience_s = line.patience_s(len(self._waiting), again=False, brief=brief)
        answer = await line.ask(poll.job.device.unit_id, ask, patience_s, brief=brief)
        if isinstance(answer, ModbusReadError):
            self._left_for_troubled_s -= asyncio.get_running_loop().time() - began
        return answer

    def _abandon_the_rest(self, failure: ModbusReadError) -> None:
        for poll in self._waiting:
            poll.abandon(failure)
        self._waiting.clear()


def _healthy_first(polls: list[DevicePoll], now: datetime) -> list[DevicePoll]:
    """Troubled devices last, and not always the same ones first among them: there may be time for a few only."""
    healthy = [poll for poll in polls if not poll.job.troubled]
    troubled = [poll for poll in polls if poll.job.troubled]
    first = _minutes(now) * _NEXT_TROUBLED % (len(troubled) or 1)
    return healthy + troubled[first:] + troubled[:first]


def _minutes(now: datetime) -> int:
    return int(now.timestamp() // 60)
