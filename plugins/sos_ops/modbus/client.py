"""A strict Modbus TCP client: registers that answer the request, or an error; never a guess.

It speaks to the units behind one host and port, one request at a time, with the pause they need between
requests. After any doubt about an answer the connection is closed, and the next request opens another.
A read may be asked again by whoever wants it; a write is sent at most once.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Self, TypeVar

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.answer import (
    ReadRequest,
    UnacceptableAnswerError,
    WriteRequest,
    judge_answer,
    judge_echo,
)
from sos_ops.modbus.failures import FailureReason, ModbusReadError, ModbusWriteError, WriteOutcome
from sos_ops.modbus.link import Link, frame_of
from sos_ops.modbus.protocol_map import LAST_REGISTER, PROTOCOL_MAX_REGISTERS, ReadFunction

_LAST_TRANSACTION_ID = 0xFFFF

Answer = TypeVar("Answer")


class StrictModbusClient:
    """Reads and writes registers of the units behind one host and port, one request at a time.

    Use as `async with`, which connects, or make and `close()` it, then the first request connects. A request
    after a failed one connects again. Cancelling a request closes the connection; a write cancelled while it
    is waited for may have been done.

    Args:
        host: Name or address.
        port: TCP port.
        unit_id: The unit asked when a request names none, 0 to 255.
        connect_timeout: Seconds a connection may take.
        request_timeout: Seconds an answer may take, to its last byte.
        pause_between_requests_s: Seconds from the end of one request (its answer, or giving it up) to the next.
    """

    def __init__(
        self,
        host: str,
        port: int,
        unit_id: int = 1,
        *,
        connect_timeout: float = 3.0,
        request_timeout: float = 3.0,
        pause_between_requests_s: float = 0.0,
    ) -> None:
        self.host = host
        self.port = port
        self.unit_id = unit_id
        self.connect_timeout = connect_timeout
        self.request_timeout = request_timeout
        self.pause_between_requests_s = pause_between_requests_s
        self._link: Link | None = None
        # Transaction ids go on where the last connection's ended. Were they to begin at 1 on each connection, as
        # pymodbus has it, a gateway's late answer to the first request of the old one would fit that of the new.
        self._transaction_id = secrets.randbelow(_LAST_TRANSACTION_ID)
        self._one_at_a_time = asyncio.Lock()
        self._last_ended_at = float("-inf")

    async def __aenter__(self) -> Self:
        await self.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def connected(self) -> bool:
        """True while there is a connection that can be trusted."""
        return self._link is not None and self._link.fault is None

    @property
    def pause_left_s(self) -> float:
        """Seconds until the pause after the last request is over; 0 when it is."""
        if not self.pause_between_requests_s:
            return 0.0
        passed = asyncio.get_running_loop().time() - self._last_ended_at
        return max(0.0, self.pause_between_requests_s - passed)

    async def connect(self) -> None:
        """Connect, unless connected.

        Raises:
            ModbusReadError: No connection (refused, unreachable).
        """
        async with self._one_at_a_time:
            await self._trusted_link()

    def close(self) -> None:
        """Close the connection, if any."""
        if self._link is not None:
            self._link.close()
            self._link = None

    async def read_block(
        self,
        function: ReadFunction,
        address: int,
        count: int,
        *,
        unit_id: int | None = None,
        request_timeout: float | None = None,
    ) -> list[int]:
        """`count` registers (1 to 125) from `address` (on the wire, from 0).

        Returns:
            Exactly `count` numbers, 0 to 65535, that answer this request.

        Raises:
            ModbusReadError: Anything else happened; the connection is closed unless the device itself
                answered with an exception.
            InvalidConfigurationError: No such registers can be asked for.
        """
        unit = self.unit_id if unit_id is None else unit_id
        _check_askable(address, count, unit)
        async with self._one_at_a_time:
            link = await self._trusted_link()
            request = ReadRequest(self._next_transaction_id(), unit, function.code, address, count)
            try:
                return await self._exchange(link, request, partial(judge_answer, request), request_timeout)
            except UnacceptableAnswerError as fault:
                raise ModbusReadError(fault.reason, self._sentence(unit, fault)) from fault

    async def write_register(
        self,
        address: int,
        value: int,
        *,
        unit_id: int | None = None,
        request_timeout: float | None = None,
    ) -> None:
        """Write one register (function code 6), and return when the device has confirmed exactly that.

        The request is sent at most once, whatever happens. This is only the wire: who may write what, and
        reading back whether it took effect, is for the caller.

        Args:
            address: On the wire, 0 to 65535.
            value: 0 to 65535.
            unit_id: The unit, 0 to 255; the client's own if not given.
            request_timeout: Seconds the confirmation may take; the client's own if not given.

        Raises:
            ModbusWriteError: Not confirmed; its `outcome` tells what the write may have done.
            InvalidConfigurationError: No such write can be asked for.
        """
        unit = self.unit_id if unit_id is None else unit_id
        _check_askable(address, 1, unit)
        if not 0 <= value <= 0xFFFF:
            raise InvalidConfigurationError(f"{value} cannot be written to a register: 0 to 65535 can")
        async with self._one_at_a_time:
            try:
                link = await self._trusted_link()
            except ModbusReadError as error:
                raise ModbusWriteError(WriteOutcome.NOT_SENT, error.reason, str(error)) from error
            request = WriteRequest(self._next_transaction_id(), unit, address, value)
            try:
                await self._exchange(link, request, partial(judge_echo, request), request_timeout)
            except UnacceptableAnswerError as fault:
                outcome = WriteOutcome.REFUSED if fault.reason.is_certain_refusal else WriteOutcome.UNKNOWN
                raise ModbusWriteError(outcome, fault.reason, self._sentence(unit, fault)) from fault

    async def _exchange(
        self,
        link: Link,
        request: ReadRequest | WriteRequest,
        judge: Callable[[bytes], Answer | None],
        timeout: float | None,
    ) -> Answer:
        try:
            return await link.exchange(
                frame_of(request), judge, self.request_timeout if timeout is None else timeout
            )
        finally:
            self._last_ended_at = asyncio.get_running_loop().time()

    def _next_transaction_id(self) -> int:
        self._transaction_id = self._transaction_id % _LAST_TRANSACTION_ID + 1
        return self._transaction_id

    async def _trusted_link(self) -> Link:
        """A connection without doubts, after the pause that the gateway needs."""
        if self.pause_between_requests_s:
            await asyncio.sleep(self.pause_left_s)
        if self._link is not None and self._link.fault is None:
            return self._link
        self.close()
        try:
            async with asyncio.timeout(self.connect_timeout):
                self._link = await Link.open(self.host, self.port)
        except (OSError, UnicodeError) as error:  # a name such as a..b cannot be encoded to be looked up
            raise self._no_connection(error) from error
        return self._link

    def _sentence(self, unit_id: int, fault: UnacceptableAnswerError) -> str:
        return f"{self.host}:{self.port} unit {unit_id} {fault.detail}"

    def _no_connection(self, error: OSError | UnicodeError) -> ModbusReadError:
        where = f"{self.host}:{self.port}"
        if isinstance(error, socket.gaierror | UnicodeError):
            return ModbusReadError(FailureReason.UNREACHABLE, f"the host name {self.host} is not known")
        if _is_refusal(error):
            return ModbusReadError(FailureReason.REFUSED, f"connection refused by {where}")
        if isinstance(error, TimeoutError):
            return ModbusReadError(FailureReason.UNREACHABLE, f"no connection to {where}: no sign of life")
        return ModbusReadError(FailureReason.UNREACHABLE, f"no connection to {where}: {_why(error)}")


def _check_askable(address: int, count: int, unit_id: int) -> None:
    if not 1 <= count <= PROTOCOL_MAX_REGISTERS or address < 0 or address + count - 1 > LAST_REGISTER:
        raise InvalidConfigurationError(
            f"{count} registers from {address} cannot be asked for: "
            f"1 to {PROTOCOL_MAX_REGISTERS} within 0 to {LAST_REGISTER}"
        )
    if not 0 <= unit_id <= 255:
        raise InvalidConfigurationError(f"unit id {unit_id} is not within 0 to 255")


def _is_refusal(error: OSError) -> bool:
    """True when every address of the host refused; asyncio joins the failures of several into one text."""
    if isinstance(error, ConnectionRefusedError):
        return True
    text = str(error)
    return error.errno is None and 0 < text.count("[Errno ") == text.count(f"[Errno {errno.ECONNREFUSED}]")


def _why(error: OSError) -> str:
    return (error.strerror or str(error)).splitlines()[0] if str(error) else type(error).__name__
