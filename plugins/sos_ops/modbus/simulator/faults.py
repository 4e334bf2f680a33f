"""The faults a simulated device shows on request: `NAME[:ARGUMENT][@FIRST[-LAST]][:PROBABILITY]`.

    drop:0.05             five in a hundred requests get no answer
    late:2                every answer comes after 2 s;  late:2:0.1  every tenth
    exception:2@1004      every request that touches register 1004 is answered with exception 2
    word-swap             every point of several registers has them the other way round

Registers are counted as the map counts. Without a probability a fault always happens. Which requests are hit
follows from the seed, so a run can be repeated.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

from sos_ops.errors import InvalidConfigurationError


class Takes(Enum):
    """What stands after a fault's name."""

    NOTHING = auto()
    SECONDS = auto()
    CODE = auto()
    POINT = auto()
    POINT_OR_ALL = auto()
    REGISTERS = auto()


class _Kind(NamedTuple):
    takes: Takes
    does: str
    on_the_wire: bool = True


KINDS = {
    "drop": _Kind(Takes.NOTHING, "no answer"),
    "late": _Kind(Takes.SECONDS, "the answer comes so many seconds late"),
    "drip": _Kind(Takes.SECONDS, "the answer comes byte by byte, so many seconds apart"),
    "reset": _Kind(Takes.NOTHING, "the connection is reset instead of an answer"),
    "hang-up": _Kind(Takes.NOTHING, "the connection is closed instead of an answer"),
    "wrong-tid": _Kind(Takes.NOTHING, "the answer bears the next transaction id"),
    "zero-tid": _Kind(Takes.NOTHING, "the answer bears transaction id 0"),
    "wrong-unit": _Kind(Takes.NOTHING, "the answer bears the next unit id"),
    "wrong-function": _Kind(Takes.NOTHING, "the answer is of the other register table"),
    "short": _Kind(Takes.NOTHING, "the answer lacks its last register"),
    "long": _Kind(Takes.NOTHING, "the answer has a register too many"),
    "busy": _Kind(Takes.NOTHING, "exception 6 (device busy)"),
    "exception": _Kind(Takes.CODE, "that exception"),
    "one-connection": _Kind(Takes.NOTHING, "a second connection is closed at once", on_the_wire=False),
    "not-implemented": _Kind(Takes.POINT, "the point shows its not-implemented value", on_the_wire=False),
    "stuck": _Kind(Takes.POINT_OR_ALL, "the point never moves", on_the_wire=False),
    "word-swap": _Kind(Takes.POINT_OR_ALL, "registers in the other order", on_the_wire=False),
    "byte-swap": _Kind(Takes.POINT_OR_ALL, "bytes of each register swapped", on_the_wire=False),
    "shift": _Kind(Takes.REGISTERS, "everything lies so many registers further on", on_the_wire=False),
    "holes": _Kind(
        Takes.NOTHING, "registers between the points do not exist: exception 2", on_the_wire=False
    ),
    "reindex": _Kind(
        Takes.NOTHING, "registers between the points are passed over without a word", on_the_wire=False
    ),
}
"""Every fault: what it takes and what it does."""

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
_FORM = re.compile(
    rf"(?P<name>[a-z-]+)"
    rf"(?::(?P<argument>-?{_NUMBER}|[a-z][a-z0-9_]*))?"
    rf"(?:@(?P<first>[0-9]+)(?:-(?P<last>[0-9]+))?)?"
    rf"(?::(?P<probability>{_NUMBER}))?"
)


@dataclass(frozen=True)
class Fault:
    """A fault as asked for.

    Attributes:
        name: One of `KINDS`.
        number: Its seconds, exception code or registers; 0 where it takes none.
        point: The point it is about, or None for all.
        registers: First and last register it is about, as the map counts; None for all.
        probability: How often it happens, 0 to 1.
    """

    name: str
    number: float = 0.0
    point: str | None = None
    registers: tuple[int, int] | None = None
    probability: float = 1.0

    @property
    def on_the_wire(self) -> bool:
        """True when it spoils answers; false when the device itself is as it is."""
        return KINDS[self.name].on_the_wire

    def __str__(self) -> str:
        about = f" of {self.point}" if self.point else ""
        number = f" ({self.number:g})" if self.number else ""
        where = f" at registers {self.registers[0]} to {self.registers[1]}" if self.registers else ""
        often = "" if self.probability == 1 else f", {self.probability:g} of the requests"
        return f"{self.name}{about}{number}: {KINDS[self.name].does}{where}{often}"


def example_of(name: str) -> str:
    """How a fault is asked for."""
    return {
        Takes.NOTHING: name,
        Takes.SECONDS: f"{name}:2",
        Takes.CODE: f"{name}:2@1004",
        Takes.REGISTERS: f"{name}:1",
        Takes.POINT: f"{name}:POINT",
        Takes.POINT_OR_ALL: f"{name} or {name}:POINT",
    }[KINDS[name].takes]


def parse_faults(texts: Sequence[str]) -> list[Fault]:
    """The faults in `texts`.

    Raises:
        InvalidConfigurationError: One of them is none; says how it is written.
    """
    return [parse_fault(text) for text in texts]


def parse_fault(text: str) -> Fault:
    """The fault that `text` asks for.

    Raises:
        InvalidConfigurationError: It is none; says how it is written.
    """
    form = _FORM.fullmatch(text.strip())
    if form is None:
        raise _not_a_fault(text, "write NAME[:ARGUMENT][@FIRST[-LAST]][:PROBABILITY], e.g. late:2:0.1")
    name, argument, probability = form["name"], form["argument"], form["probability"]
    if name not in KINDS:
        raise _not_a_fault(text, f"there are {', '.join(KINDS)}")
    kind = KINDS[name]
    if kind.takes is Takes.NOTHING and argument is not None and probability is None:
        argument, probability = None, argument
    registers = None
    if form["first"] is not None:
        registers = (int(form["first"]), int(form["last"] or form["first"]))
    if not kind.on_the_wire and (registers is not None or probability is not None):
        raise _not_a_fault(text, f"{name} always holds, for the whole device or one point")
    number, point = _argument(text, name, argument)
    return Fault(name, number, point, registers, _probability(text, probability))


def _argument(text: str, name: str, argument: str | None) -> tuple[float, str | None]:
    takes = KINDS[name].takes
    if takes is Takes.NOTHING:
        if argument is not None:
            raise _not_a_fault(text, f"{name} takes nothing but a probability, e.g. {name}:0.05")
        return 0.0, None
    if takes is Takes.POINT_OR_ALL and argument is None:
        return 0.0, None
    example = example_of(name)
    if argument is None:
        raise _not_a_fault(text, f"say of what, e.g. {example}")
    if takes in (Takes.POINT, Takes.POINT_OR_ALL):
        return 0.0, argument
    try:
        number = float(argument)
    except ValueError:
        raise _not_a_fault(text, f"{argument} is no number; e.g. {example}") from None
    whole = takes in (Takes.CODE, Takes.REGISTERS)
    if (whole and number != int(number)) or (takes is Takes.CODE and not 1 <= number <= 255):
        raise _not_a_fault(text, f"{argument} is no such number; e.g. {example}")
    if takes is Takes.SECONDS and number < 0:
        raise _not_a_fault(text, "seconds are not negative")
    return number, None


def _probability(text: str, probability: str | None) -> float:
    if probability is None:
        return 1.0
    try:
        number = float(probability)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise _not_a_fault(text, f"{probability} is no probability: 0 to 1")
    return number


def _not_a_fault(text: str, what_to_do: str) -> InvalidConfigurationError:
    return InvalidConfigurationError(f"{text!r} is no fault: {what_to_do}")
