"""Judging a device's bytes as the answer to one read request (Modbus TCP, function codes 3 and 4).

pymodbus accepts answers with too few or too many registers, of another function, and with transaction id 0,
and waits in vain after others. Here every field that can contradict the request is compared before a
register is believed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from sos_ops.modbus.failures import FailureReason, exception_reason, exception_text

_REQUEST = struct.Struct(">HHHBBHH")
_ANSWER_HEAD = struct.Struct(">HHHBBB")
_EXCEPTION_BIT = 0x80
_LENGTH_COUNTS_FROM = 6


class UnacceptableAnswerError(Exception):
    """The bytes are no answer to the request; `detail` completes the sentence "the device ..."."""

    def __init__(self, reason: FailureReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A read request as it stood on the wire."""

    transaction_id: int
    unit_id: int
    function_code: int
    address: int
    count: int

    @classmethod
    def from_frame(cls, frame: bytes) -> ReadRequest:
        """The request in a frame of ours.

        Raises:
            struct.error: The frame is no read request.
        """
        transaction_id, _, _, unit_id, function_code, address, count = _REQUEST.unpack(frame)
        return cls(transaction_id, unit_id, function_code, address, count)


def judge_answer(request: ReadRequest, received: bytes) -> list[int] | None:
    """The registers in `received`, exactly as many as asked for, or None while the answer is not whole.

    Raises:
        UnacceptableAnswerError: No continuation can make the bytes an answer to the request.
    """
    if len(received) < _ANSWER_HEAD.size:
        return None
    transaction_id, protocol_id, length, unit_id, function_code, head = _ANSWER_HEAD.unpack_from(received)
    _check_addressee(request, transaction_id, protocol_id, unit_id)
    if function_code == request.function_code | _EXCEPTION_BIT:
        _check_end(received, length, expected_length=3)
        raise UnacceptableAnswerError(exception_reason(head), f"answered {exception_text(head)}")
    if function_code != request.function_code:
        raise UnacceptableAnswerError(
            FailureReason.WRONG_FUNCTION,
            f"answered function {function_code}, asked was {request.function_code}",
        )
    _check_size(request, byte_count=head, length=length)
    _check_end(received, length, expected_length=head + 3)
    if len(received) < _LENGTH_COUNTS_FROM + length:
        return None
    return list(struct.unpack_from(f">{request.count}H", received, _ANSWER_HEAD.size))


def _check_addressee(request: ReadRequest, transaction_id: int, protocol_id: int, unit_id: int) -> None:
    if transaction_id != request.transaction_id:
        whose = "no request (transaction id 0)" if transaction_id == 0 else "another request"
        raise UnacceptableAnswerError(FailureReason.WRONG_TRANSACTION, f"sent an answer to {whose}")
    if protocol_id != 0:
        raise UnacceptableAnswerError(
            FailureReason.WRONG_PROTOCOL, "answered in another protocol than Modbus"
        )
    if unit_id != request.unit_id:
        raise UnacceptableAnswerError(FailureReason.WRONG_UNIT, f"answered for unit {unit_id}")


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
