"""Why a device could not be read: the reasons, and the error that carries one."""

from __future__ import annotations

from enum import StrEnum

from sos_ops.errors import SosOpsError


class FailureReason(StrEnum):
    """What went wrong, in one word that can be counted and stored."""

    REFUSED = "refused"
    """Nobody listens at that port, or a one-connection converter is taken."""
    UNREACHABLE = "unreachable"
    """No connection: no route, no such name, or no sign of life."""
    TIMEOUT = "timeout"
    """Connected, but no whole answer in time."""
    CONNECTION_LOST = "connection_lost"
    """Reset or closed before the whole answer."""
    WRONG_TRANSACTION = "wrong_transaction"
    """An answer to another request, or to none (transaction id 0)."""
    WRONG_PROTOCOL = "wrong_protocol"
    WRONG_UNIT = "wrong_unit"
    WRONG_FUNCTION = "wrong_function"
    SHORT_ANSWER = "short_answer"
    LONG_ANSWER = "long_answer"
    MALFORMED = "malformed"
    """Lengths that contradict each other, or more bytes than one answer."""
    WRONG_ECHO = "wrong_echo"
    """A write was confirmed with another address or value."""
    QUARANTINE = "quarantine"
    """Read but for registers that the device is known not to answer for."""
    DEADLINE = "deadline"
    """The poll's own time was over."""
    INTERNAL = "internal"
    """Our own mistake; the log has the details."""
    EXCEPTION_1 = "exception_1"
    EXCEPTION_2 = "exception_2"
    EXCEPTION_3 = "exception_3"
    EXCEPTION_4 = "exception_4"
    EXCEPTION_5 = "exception_5"
    EXCEPTION_6 = "exception_6"
    EXCEPTION_8 = "exception_8"
    EXCEPTION_10 = "exception_10"
    EXCEPTION_11 = "exception_11"
    EXCEPTION_OTHER = "exception_other"
    """The device answered with an exception code; the number is the protocol's."""

    @property
    def is_exception(self) -> bool:
        """True when the device itself answered, properly, that it will not."""
        return self.value.startswith("exception_")

    @property
    def is_refusal(self) -> bool:
        """True when the device says that it has no such registers, or cannot read them: they may be bad."""
        return self in (FailureReason.EXCEPTION_2, FailureReason.EXCEPTION_3, FailureReason.EXCEPTION_4)

    @property
    def is_certain_refusal(self) -> bool:
        """True when an exception answer says that nothing was done.

        Not so a device failure (4), an acknowledgement (5) and a gateway that passed the request on in vain (11).
        """
        return self in _CERTAIN_REFUSALS

    @property
    def is_busy(self) -> bool:
        """True when asking again may help: acknowledged, busy, or no answer behind the gateway."""
        return self in (FailureReason.EXCEPTION_5, FailureReason.EXCEPTION_6, FailureReason.EXCEPTION_11)

    @property
    def is_own_no(self) -> bool:
        """True when the unit itself, not its gateway, answered that it will not: it is there."""
        return self.is_exception and not self.is_silence

    @property
    def is_silence(self) -> bool:
        """True when the unit did not answer, or its gateway says so."""
        return self in (
            FailureReason.TIMEOUT,
            FailureReason.EXCEPTION_10,
            FailureReason.EXCEPTION_11,
        )

    @property
    def is_worth_repeating(self) -> bool:
        """True when the same request may be answered a moment later: anything but the device's own no."""
        return self.is_busy or not self.is_exception

    @property
    def is_no_connection(self) -> bool:
        """True when there was no connection to ask through."""
        return self in (FailureReason.REFUSED, FailureReason.UNREACHABLE)


_CERTAIN_REFUSALS = frozenset(
    {
        FailureReason.EXCEPTION_1,
        FailureReason.EXCEPTION_2,
        FailureReason.EXCEPTION_3,
        FailureReason.EXCEPTION_6,
        FailureReason.EXCEPTION_10,
    }
)

_EXCEPTION_NAMES = {
    1: "illegal function",
    2: "illegal data address",
    3: "illegal data value",
    4: "device failure",
    5: "acknowledged, not ready",
    6: "device busy",
    8: "memory parity error",
    10: "gateway path unavailable",
    11: "no answer behind the gateway",
}


def exception_reason(code: int) -> FailureReason:
    """The reason for an exception code of the protocol."""
    return FailureReason(f"exception_{code}") if code in _EXCEPTION_NAMES else FailureReason.EXCEPTION_OTHER


def exception_text(code: int) -> str:
    """`exception 2 (illegal data address)`."""
    return f"exception {code} ({_EXCEPTION_NAMES.get(code, 'not in the standard')})"


class ModbusReadError(SosOpsError):
    """A read that yields no registers.

    The message does not contain what differs from one minute to the next (transaction ids, bytes so far),
    so that minutes of the same failure read the same.
    """

    def __init__(self, reason: FailureReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class WriteOutcome(StrEnum):
    """What a write that was not confirmed may have done."""

    NOT_SENT = "not_sent"
    """Nothing left this machine: there was no connection."""
    REFUSED = "refused"
    """The device or its gateway answered that it will not, and the answer leaves no doubt."""
    UNKNOWN = "unknown"
    """The request left, and no proper answer came: the register may hold the old value or the new one."""


class ModbusWriteError(SosOpsError):
    """A write that was not confirmed. It is never sent again from here; `outcome` says what it may have done."""

    def __init__(self, outcome: WriteOutcome, reason: FailureReason, message: str) -> None:
        super().__init__(message)
        self.outcome = outcome
        self.reason = reason
