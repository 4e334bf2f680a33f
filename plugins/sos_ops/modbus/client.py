"""A strict Modbus TCP client over pymodbus: registers that answer the request, or an error; never a guess.

pymodbus does the connection and the frames. What it lets pass (see `sos_ops.modbus.answer`) is stopped here
by reading along: its trace hooks show every byte sent and received before it interprets them. After any doubt
the connection is closed: where one answer went wrong, an earlier one may still be on its way.
"""

from __future__ import annotations

import asyncio
import errno
import secrets
import socket
from types import TracebackType
from typing import Self

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.answer import ReadRequest, UnacceptableAnswerError, judge_answer
from sos_ops.modbus.failures import FailureReason, ModbusReadError
from sos_ops.modbus.protocol_map import LAST_REGISTER, PROTOCOL_MAX_REGISTERS, ReadFunction

_LAST_TRANSACTION_ID = 65000  # pymodbus begins again at 1 here
_RECEIVE_LIMIT = 1 << 20


class _Link:
    """One TCP connection, used until the first doubt and never again."""

    def __init__(self, host: str, port: int, give_up_after: float) -> None:
        self.fault: UnacceptableAnswerError | None = None
        self._request: ReadRequest | None = None
        self._registers: list[int] | None = None
        self._answer_began = False
        self._limit: asyncio.Timeout | None = None
        self._connect_error: OSError | None = None
        self._pymodbus = AsyncModbusTcpClient(
            host,
            port=port,
            timeout=give_up_after,
            retries=0,
            reconnect_delay=0,
            trace_packet=self._on_packet,
            trace_connect=self._on_connect,
        )
        # Beyond its limit pymodbus forgets what it received without a word; the judge is to see it.
        self._pymodbus.ctx.max_buffer_size = _RECEIVE_LIMIT

    @property
    def transaction_id(self) -> int:
        """The transaction id used last."""
        return self._pymodbus.ctx.next_tid

    async def open(self, after_transaction_id: int) -> None:
        """Connect. The transaction ids go on where the last connection's ended.

        Were they to begin at 1 on each connection, as pymodbus has it, a gateway's late answer to the first
        request of the old connection would fit the first request of the new one.

        Raises:
            OSError: No connection.
        """
        context = self._pymodbus.ctx
        connect = context.call_create

        async def connect_keeping_the_error() -> object:
            try:
                return await connect()
            except OSError as error:
                self._connect_error = error
                raise

        context.call_create = connect_keeping_the_error
        if not await self._pymodbus.connect():
            raise self._connect_error or OSError("no connection")
        context.next_tid = after_transaction_id

    async def ask(
        self, function: ReadFunction, address: int, count: int, unit_id: int, timeout: float
    ) -> list[int]:
        """One request and its answer.

        Raises:
            UnacceptableAnswerError: Anything but the answer; an exception answer leaves the link usable.
        """
        read = (
            self._pymodbus.read_input_registers
            if function is ReadFunction.INPUT
            else self._pymodbus.read_holding_registers
        )
        self._registers, self._answer_began = None, False
        try:
            async with asyncio.timeout(timeout) as self._limit:
                response = await read(address, count=count, device_id=unit_id)
        except TimeoutError:
            raise self.fault or self._timed_out(timeout) from None
        except (OSError, ModbusException) as error:
            raise self.fault or self._doubt(FailureReason.CONNECTION_LOST, "closed the connection") from error
        finally:
            self._request = self._limit = None
        if self.fault is not None:
            fault = self.fault
            if fault.reason.is_exception:
                self.fault = None
            raise fault
        if self._registers is None or list(response.registers) != self._registers:
            raise self._doubt(FailureReason.MALFORMED, "sent an answer that can be read in two ways")
        return self._registers

    def close(self) -> None:
        """Close the connection, whatever is going on."""
        self._pymodbus.close()

    def _timed_out(self, timeout: float) -> UnacceptableAnswerError:
        what = "did not finish its answer" if self._answer_began else "did not answer"
        return self._doubt(FailureReason.TIMEOUT, f"{what} within {timeout:.1f} s")

    def _doubt(self, reason: FailureReason, detail: str) -> UnacceptableAnswerError:
        """Mark the link as not to be trusted, and wake up whoever waits for an answer."""
        return self._mark(UnacceptableAnswerError(reason, detail))

    def _mark(self, fault: UnacceptableAnswerError) -> UnacceptableAnswerError:
        if self.fault is None or self.fault.reason.is_exception:
            self.fault = fault
        if self._limit is not None and not self._limit.expired():
            self._limit.reschedule(0)
        return self.fault

    def _on_packet(self, sending: bool, data: bytes) -> bytes:
        """See a frame go out, or all bytes not yet understood come in; what is returned goes on."""
        if sending:
            self._request = ReadRequest.from_frame(data)
            return data
        if self._request is None or self._registers is not None or self.fault is not None:
            self._doubt(FailureReason.MALFORMED, "sent bytes that nobody asked for")
            return b""
        try:
            self._registers = judge_answer(self._request, data)
        except UnacceptableAnswerError as fault:
            if fault.reason.is_exception:
                self.fault = fault
                return data
            self._mark(fault)
            return b""
        self._answer_began = True
        return data if self._registers is not None else b""

    def _on_connect(self, connected: bool) -> None:
        if not connected:
            self._doubt(FailureReason.CONNECTION_LOST, "closed the connection")


class StrictModbusClient:
    """Reads registers of the units behind one host and port, one request at a time.

    Use as `async with`, which connects, or make and `close()` it, then the first read connects. A read
    after a failed one connects again. Cancelling a read closes the connection.

    Args:
        host: Name or address.
        port: TCP port.
        unit_id: The unit asked when a read names none, 0 to 255.
        connect_timeout: Seconds a connection may take.
        request_timeout: Seconds an answer may take, to its last byte.
    """

    def __init__(
        self,
        host: str,
        port: int,
        unit_id: int = 1,
        *,
        connect_timeout: float = 3.0,
        request_timeout: float = 3.0,
    ) -> None:
        self.host = host
        self.port = port
        self.unit_id = unit_id
        self.connect_timeout = connect_timeout
        self.request_timeout = request_timeout
        self._link: _Link | None = None
        self._transaction_id = secrets.randbelow(_LAST_TRANSACTION_ID)
        self._one_at_a_time = asyncio.Lock()

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
            self._transaction_id = self._link.transaction_id
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
        timeout = self.request_timeout if request_timeout is None else request_timeout
        async with self._one_at_a_time:
            link = await self._trusted_link()
            trusted = False
            try:
                registers = await link.ask(function, address, count, unit, timeout)
                trusted = True
            except UnacceptableAnswerError as fault:
                trusted = fault.reason.is_exception
                raise ModbusReadError(
                    fault.reason, f"{self.host}:{self.port} unit {unit} {fault.detail}"
                ) from fault
            finally:
                if not trusted:
                    self.close()
        return registers

    async def _trusted_link(self) -> _Link:
        if self._link is not None and self._link.fault is None:
            return self._link
        self.close()
        link = _Link(self.host, self.port, self.connect_timeout + self.request_timeout + 3600)
        opened = False
        try:
            async with asyncio.timeout(self.connect_timeout):
                await link.open(self._transaction_id)
            opened = True
        except OSError as error:
            raise self._no_connection(error) from error
        finally:
            if not opened:
                link.close()
        self._link = link
        return link

    def _no_connection(self, error: OSError) -> ModbusReadError:
        where = f"{self.host}:{self.port}"
        if _is_refusal(error):
            return ModbusReadError(FailureReason.REFUSED, f"connection refused by {where}")
        if isinstance(error, socket.gaierror):
            return ModbusReadError(FailureReason.UNREACHABLE, f"the host name {self.host} is not known")
        if isinstance(error, TimeoutError):
            text = f"no connection to {where} within {self.connect_timeout:.1f} s"
            return ModbusReadError(FailureReason.UNREACHABLE, text)
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
