"""The line to one gateway during a poll: one request at a time, how long to wait for an answer, and until when.

How fast a line is, is learnt from its answers. An RS485 converter may take seconds for each; a unit that is
dead behind a fast one should not be waited for as long.
"""

from __future__ import annotations

import asyncio

from sos_ops.modbus.ask import Answer, Ask
from sos_ops.modbus.client import StrictModbusClient
from sos_ops.modbus.failures import ModbusReadError

PATIENT_S = 5.0
"""The slowest answer there is time for: asked of a line that has not answered yet, and when asking again."""
PATIENT_AGAIN_S = 2 * PATIENT_S
"""The same when asking again on a line that has not answered yet, if there is time: a converter may first have to
finish requests that were given up, those of an earlier poll too."""
BRIEF_S = 1.0
"""On a line whose pace is known, waited beyond four times its slowest answer."""
CONNECT_S = 3.0

_SHARE_FOR_ONE_SILENCE = 0.4
"""Of the time left: a silence, the reconnect and the repeat still fit."""
_SHARE_FOR_CONNECTING = 1 / 3
_CONNECTIONS_LOST_FOR_GOOD = 2


class Line:
    """A connection to a gateway, reopened after any doubt.

    Args:
        host: The gateway's.
        port: The gateway's.
        deadline: When everything must be over, by the event loop's clock, seconds.
        pause_s: Seconds to leave the gateway alone between requests.
    """

    def __init__(self, host: str, port: int, deadline: float, pause_s: float) -> None:
        self._client = StrictModbusClient(host, port, pause_between_requests_s=pause_s)
        self._deadline = deadline
        self._time = asyncio.get_running_loop().time
        self._ever_connected = False
        self._failed_connections = 0
        self._slowest: float | None = None

    @property
    def left_s(self) -> float:
        """Seconds left for the next request, after the pause before it; none when 0 or less."""
        return self._deadline - self._time() - self._client.pause_left_s

    @property
    def has_answered(self) -> bool:
        """True once a unit has answered, so that the line's pace is known."""
        return self._slowest is not None

    @property
    def down(self) -> bool:
        """True when trying to connect again would be in vain.

        A one-connection converter may need a moment to notice that we hung up, so a line that was up is given
        a second try.
        """
        return self._failed_connections >= (_CONNECTIONS_LOST_FOR_GOOD if self._ever_connected else 1)

    def patience_s(self, others: int, *, again: bool, brief: bool) -> float:
        """Seconds to wait for the next answer.

        Args:
            others: How many devices of the line still wait for their turn.
            again: The request is repeated, after all others had their turn.
            brief: The device has not answered for minutes.
        """
        left = self.left_s
        if self._slowest is None:
            longest = BRIEF_S if brief else PATIENT_AGAIN_S if again else PATIENT_S
            return min(longest, _SHARE_FOR_ONE_SILENCE * left)
        most = PATIENT_S if again else min(PATIENT_S, BRIEF_S + 4 * self._slowest)
        fair = left / (others + 1) if others else _SHARE_FOR_ONE_SILENCE * left
        return min(most, left, max(fair, 2 * self._slowest + 0.1))

    async def ask(self, unit_id: int, ask: Ask, patience_s: float, *, brief: bool) -> Answer:
        """Ask a unit, connecting first if need be. Never raises for what the gateway or the unit does."""
        client = self._client
        try:
            if not client.connected:
                await self._connect(brief=brief)
            began = self._time()
            registers = await client.read_block(
                ask.function, ask.start, ask.count, unit_id=unit_id, request_timeout=patience_s
            )
        except ModbusReadError as failure:
            return failure
        took = self._time() - began
        if self._slowest is None or took > self._slowest:
            self._slowest = took
        return registers

    def close(self) -> None:
        """Hang up."""
        self._client.close()

    async def _connect(self, *, brief: bool) -> None:
        self._client.connect_timeout = min(
            BRIEF_S if brief else CONNECT_S, self.left_s * _SHARE_FOR_CONNECTING
        )
        try:
            await self._client.connect()
        except ModbusReadError as failure:
            if failure.reason.is_no_connection:
                self._failed_connections += 1
            raise
        self._ever_connected = True
        self._failed_connections = 0
