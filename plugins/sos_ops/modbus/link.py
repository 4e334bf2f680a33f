"""One TCP connection to a gateway: frames out, judged answers in, one at a time.

pymodbus' client interprets what it receives before anyone can object (see `sos_ops.modbus.answer`). So its
request messages and its framer make the bytes that go out, and the bytes that come in go to the judge.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar, cast

from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteSingleRegisterRequest,
)

from sos_ops.modbus.answer import ReadRequest, UnacceptableAnswerError, WriteRequest
from sos_ops.modbus.failures import FailureReason

Answer = TypeVar("Answer")

_FRAMER = FramerSocket(DecodePDU(is_server=False))


def frame_of(request: ReadRequest | WriteRequest) -> bytes:
    """The request's bytes on the wire."""
    if isinstance(request, WriteRequest):
        return _FRAMER.buildFrame(
            WriteSingleRegisterRequest(
                request.unit_id, request.transaction_id, request.address, registers=[request.value]
            )
        )
    message = (
        ReadInputRegistersRequest
        if request.function_code == ReadInputRegistersRequest.function_code
        else ReadHoldingRegistersRequest
    )
    return _FRAMER.buildFrame(
        message(request.unit_id, request.transaction_id, request.address, request.count)
    )


class Link(asyncio.Protocol):
    """One connection, used until the first doubt and never again."""

    def __init__(self) -> None:
        self.fault: UnacceptableAnswerError | None = None
        """Why the connection is not to be used any more."""
        self._transport: asyncio.Transport | None = None
        self._judge: Callable[[bytes], object | None] | None = None
        self._waiter: asyncio.Future[object] | None = None
        self._received = b""

    @classmethod
    async def open(cls, host: str, port: int) -> Link:
        """Connect.

        Raises:
            OSError: No connection.
        """
        _, link = await asyncio.get_running_loop().create_connection(cls, host, port)
        return link

    async def exchange(self, frame: bytes, judge: Callable[[bytes], Answer | None], timeout: float) -> Answer:
        """Send a request and wait for what the judge makes of the bytes that come.

        Cancelled, it closes the connection.

        Raises:
            UnacceptableAnswerError: Anything but the answer. An exception answer leaves the link usable.
        """
        if self.fault is not None or self._transport is None:
            raise self.fault or self._closed()
        loop = asyncio.get_running_loop()
        self._judge, self._received = judge, b""
        waiter = self._waiter = loop.create_future()
        limit = loop.call_later(timeout, self._give_up)
        try:
            self._transport.write(frame)
            answer = cast(Answer, await waiter)
            self._refuse_surplus()
            return answer
        except UnacceptableAnswerError:
            self._refuse_surplus()
            raise
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            limit.cancel()
            self._judge = self._waiter = None

    def _refuse_surplus(self) -> None:
        """More bytes than the answer, or the exception, came right after it: which of them were the answer?"""
        if self.fault is not None and self.fault.reason is FailureReason.MALFORMED:
            raise self.fault

    def close(self) -> None:
        """Close the connection, whatever is going on."""
        if self.fault is None:
            self.fault = self._closed()
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the connection is there."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes came."""
        if self._judge is None or self._waiter is None or self._waiter.done():
            self._doubt(UnacceptableAnswerError(FailureReason.MALFORMED, "sent bytes that nobody asked for"))
            return
        self._received += data
        try:
            answer = self._judge(self._received)
        except UnacceptableAnswerError as fault:
            if fault.reason.is_exception:
                self._waiter.set_exception(fault)
            else:
                self._doubt(fault)
        else:
            if answer is not None:
                self._waiter.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """asyncio: the connection is gone."""
        self._doubt(self._closed())

    def _give_up(self) -> None:
        what = "did not finish its answer" if self._received else "did not answer"
        self._doubt(UnacceptableAnswerError(FailureReason.TIMEOUT, what))

    def _doubt(self, fault: UnacceptableAnswerError) -> None:
        """Hang up: where one answer went wrong, an earlier one may still be on its way."""
        if self.fault is None:
            self.fault = fault
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(self.fault)
        if self._transport is not None:
            self._transport.abort()

    @staticmethod
    def _closed() -> UnacceptableAnswerError:
        return UnacceptableAnswerError(FailureReason.CONNECTION_LOST, "closed the connection")
