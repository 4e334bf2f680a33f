"""Judging a device's bytes as the answer to one request (Modbus TCP, function codes 3, 4 and 6).

pymodbus accepts answers with too few or too many registers, of another function, with transaction id 0, and
echoes of another value, and waits in vain after others. Here every field that can contradict the request is
compared before an answer is believed. Modbus TCP has no checksum: what cannot be told from a good answer is
an answer whose registers alone were changed on the way.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from sos_ops.modbus.failures import FailureReason, exception_reason, exception_text

_ANSWER_HEAD = struct.Struct(">HHHBBB")
_ECHO = struct.Struct(">HHHBBHH")
_EXCEPTION_BIT = 0x80
_LENGTH_COUNTS_FROM = 6
WRITE_REGISTER = 6
"""The function code that writes one register."""


class UnacceptableAnswerError(Exception):
    """The bytes are no answer to the request; `detail` completes the sentence "the device ..."."""

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A read request as it stands on the wire."""

    transaction_id: int
    unit_id: int
    function_code: int
    address: int
    count: int


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """A request to write one register, as it stands on the wire."""

    transaction_id: int
    unit_id: int
    address: int
    value: int

    @property
    def function_code(self) -> int:
        """6, always."""
        return WRITE_REGISTER


def judge_answer(request: ReadRequest, received: bytes) -> list[int] | None:
    """The registers in `received`, exactly as many as asked for, or None while the answer is not whole.

    Raises:
        UnacceptableAnswerError: No continuation can make the bytes an answer to the request.
    """
    if len(received) < _ANSWER_HEAD.size:
        return None
    length, byte_count = _judge_head(request, received)
    _check_size(request, byte_count, length)
    _check_end(received, length, expected_length=byte_count + 3)
    if len(received) < _LENGTH_COUNTS_FROM + length:
        return None
    return list(struct.unpack_from(f">{request.count}H", received, _ANSWER_HEAD.size))


def judge_echo(request: WriteRequest, received: bytes) -> bool | None:
    """True when `received` is the echo that a device confirms a write with, or None while it is not whole.

    Raises:
        UnacceptableAnswerError: No continuation can make the bytes the echo of the request.
    """
    if len(received) < _ANSWER_HEAD.size:
        return None
    length, _ = _judge_head(request, received)
    _check_end(received, length, expected_length=_ECHO.size - _LENGTH_COUNTS_FROM)
    if len(received) < _ECHO.size:
        return None
    *_, address, value = _ECHO.unpack(received)
    if (address, value) != (request.address, request.value):
        raise UnacceptableAnswerError(
            FailureReason.WRONG_ECHO,
            f"confirmed {value} in register {address}, written was {request.value} to {request.address}",
        )
    return True


def _judge_head(request: ReadRequest | WriteRequest, received: bytes) -> tuple[int, int]:
    """The length, and the byte after the function code, of an answer to this request."""
    transaction_id, protocol_id, length, unit_id, function_code, after = _ANSWER_HEAD.unpack_from(received)
    if transaction_id != request.transaction_id:
        whose = "no request (transaction id 0)" if transaction_id == 0 else "another request"
        raise UnacceptableAnswerError(FailureReason.WRONG_TRANSACTION, f"sent an answer to {whose}")
    if protocol_id != 0:
        raise UnacceptableAnswerError(
            FailureReason.WRONG_PROTOCOL, "answered in another protocol than Modbus"
        )
    if unit_id != request.unit_id:
        raise UnacceptableAnswerError(FailureReason.WRONG_UNIT, f"answered for unit {unit_id}")
    if function_code == request.function_code | _EXCEPTION_BIT:
        _check_end(received, length, expected_length=3)
        raise UnacceptableAnswerError(exception_reason(after), f"answered {exception_text(after)}")
    if function_code != request.function_code:
        raise UnacceptableAnswerError(
            FailureReason.WRONG_FUNCTION,
            f"answered function {function_code}, asked was {request.function_code}",
        )
    return length, after


def _check_size(request: ReadRequest, byte_count: int, length: int) -> None:
    if byte_count % 2 or length != byte_count + 3:
        raise UnacceptableAnswerError(
            FailureReason.MALFORMED, "sent an answer whose lengths contradict each other"
        )
    registers = byte_count // 2
    if registers != request.count:
        reason = FailureReason.SHORT_ANSWER if registers < request.count else FailureReason.LONG_ANSWER
        raise UnacceptableAnswerError(reason, f"answered {registers} registers, asked were {request.count}")


def _check_end(received: bytes, length: int, expected_length: int) -> None:
    if length != expected_length or len(received) > _LENGTH_COUNTS_FROM + length:
        raise UnacceptableAnswerError(FailureReason.MALFORMED, "sent an answer of the wrong length")
