"""Writable points: what may be written to a device, and how it is known to have arrived."""

from __future__ import annotations

import math
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.point import Address, FiniteDecimal, Name, Point, PointType, Strict, Unit

_NOISE = Fraction(1, 1_000_000)
"""Of a step: what binary fractions lose (0.1 + 0.2), and nothing a device could tell apart."""

_FLOAT_TOLERANCE = {PointType.F32: 1e-6, PointType.F64: 1e-12}
"""Relative; a device that shows a float has computed it, and may be a unit in the last place off."""


class ReadbackRounding(StrEnum):
    """How a device shows what was written where the readback point has coarser steps."""

    EXACT = "exact"
    """It shows the very value."""
    NEAREST = "nearest"
    """It rounds to its nearest step; halfway either way."""
    DOWN = "down"
    """It cuts off towards zero, as a conversion to an integer in C does."""


class WritablePoint(Strict):
    """One holding register that may be written with function 6: value = raw * scale + offset, in `unit`.

    What may be written is either everything from `minimum` to `maximum` or the `allowed` values.
    """

    name: Name
    """What commands call it."""
    address: Address
    """The holding register, counted the way the map's `addressing` says."""
    type: Literal[PointType.S16, PointType.U16]
    """s16 or u16."""
    scale: FiniteDecimal = Decimal(1)
    """The step: what one more in the register adds."""
    offset: FiniteDecimal = Decimal(0)
    """The value of raw 0, in `unit`."""
    unit: Unit = ""
    """The unit of the value; the readback point's must be the same."""
    minimum: FiniteDecimal | None = None
    """The smallest value that may be written, in `unit`."""
    maximum: FiniteDecimal | None = None
    """The largest value that may be written, in `unit`."""
    allowed: Annotated[tuple[FiniteDecimal, ...], Field(max_length=256)] = ()
    """The only values that may be written, where they are few; instead of minimum and maximum."""
    readback: Name
    """The readable point that shows what was written, with a scale of its own."""
    readback_rounding: ReadbackRounding = ReadbackRounding.EXACT
    """What the device does where the readback's steps are coarser."""
    demo_only: bool = Field(default=False, strict=True)
    """True: exists in the demo's simulator only, in no device."""

    def raw(self, value: float | Decimal) -> int:
        """The register (0..65535) that stands for `value`, in `unit`.

        Raises:
            InvalidConfigurationError: The value is no number, outside the limits, not among the allowed
                ones, between two steps, or nothing the register can hold.
        """
        number = self._step_number(value)
        written = self._value_of(number)
        if self.allowed:
            if written not in {Fraction(one) for one in self.allowed}:
                choice = ", ".join(f"{one:f}" for one in self.allowed)
                raise self._refusal(value, f"only {choice} may be written")
        elif not Fraction(self.minimum or 0) <= written <= Fraction(self.maximum or 0):
            raise self._refusal(value, f"{self.minimum:f} to {self.maximum:f} may be written")
        return number & 0xFFFF

    def value(self, raw: int) -> float:
        """The value in `unit` that register `raw` (0..65535) stands for."""
        return float(self._value_of(self._signed(raw)))

    def is_confirmed_by(self, readback: Point, raw: int, value_read: float | None) -> bool:
        """Whether the readback point's `value_read` shows that register `raw` was taken over.

        Pure: computed from the two scales and the device's rounding, never with a tolerance in between. A
        value that was not read (None) confirms nothing.

        Args:
            readback: The point named by `readback`.
            raw: What was written, 0..65535, as `raw()` gave it.
            value_read: The readback point's decoded value, in `unit`.
        """
        if value_read is None or not math.isfinite(value_read):
            return False
        written = self._value_of(self._signed(raw))
        if readback.type.is_float:
            return math.isclose(
                value_read, float(written), rel_tol=_FLOAT_TOLERANCE[readback.type], abs_tol=1e-9
            )
        shown = (written - Fraction(readback.offset)) / Fraction(readback.scale)
        return any(
            value_read == float(number * Fraction(readback.scale) + Fraction(readback.offset))
            for number in _rounded(shown, self.readback_rounding)
        )

    def readback_trouble(self, readback: Point) -> str | None:
        """Why `readback` cannot confirm what this point may write, or None where it can."""
        if not readback.type.is_number:
            return f"{readback.name} is a {readback.type}, which confirms no number"
        if readback.unit != self.unit:
            return f"{readback.name} is in {readback.unit or 'no unit'}, not in {self.unit or 'no unit'}"
        if readback.type.is_float:
            if self.readback_rounding is not ReadbackRounding.EXACT:
                return (
                    f"{readback.name} is a {readback.type}, which has no steps: say readback_rounding exact"
                )
            return self._hidden_by(readback)
        if self.readback_rounding is ReadbackRounding.EXACT and not self._steps_are_shown_by(readback):
            return (
                f"{readback.name} shows steps of {readback.scale:f} and cannot show every value exactly:"
                " say readback_rounding nearest or down"
            )
        return self._hidden_by(readback)

    def _steps_are_shown_by(self, readback: Point) -> bool:
        step, start = Fraction(readback.scale), Fraction(readback.offset)
        if self.allowed:
            return all(((Fraction(one) - start) / step).denominator == 1 for one in self.allowed)
        ratio, shift = Fraction(self.scale) / step, (Fraction(self.offset) - start) / step
        return ratio.denominator == 1 and shift.denominator == 1

    def _hidden_by(self, readback: Point) -> str | None:
        for bound in self._bounds():
            if not readback.type.is_float:
                lowest, highest = readback.type.raw_range
                shown = (Fraction(bound) - Fraction(readback.offset)) / Fraction(readback.scale)
                if not all(lowest <= raw <= highest for raw in _rounded(shown, self.readback_rounding)):
                    return f"{readback.name} ({readback.type}) cannot show {bound:f}"
            if readback.plausible and not readback.plausible[0] <= bound <= readback.plausible[1]:
                return f"{bound:f} may be written, but is implausible for {readback.name}"
        return None

    def _bounds(self) -> tuple[Decimal, ...]:
        if self.allowed:
            return self.allowed
        return (self.minimum or Decimal(0), self.maximum or Decimal(0))

    def _signed(self, raw: int) -> int:
        return raw - 0x10000 if self.type is PointType.S16 and raw > 0x7FFF else raw

    def _value_of(self, number: int) -> Fraction:
        return number * Fraction(self.scale) + Fraction(self.offset)

    def _step_number(self, value: float | Decimal) -> int:
        wanted = _exactly(value)
        if wanted is None:
            raise self._refusal(value, "it is no number")
        steps = (wanted - Fraction(self.offset)) / Fraction(self.scale)
        number = round(steps)
        lowest, highest = self.type.raw_range
        if not lowest <= number <= highest:
            ends = sorted(float(self._value_of(end)) for end in (lowest, highest))
            raise self._refusal(value, f"{self.type} x {self.scale:f} holds {ends[0]:g} to {ends[1]:g} only")
        if abs(steps - number) > _NOISE:
            below, above = math.floor(steps), math.floor(steps) + 1
            near = sorted(float(self._value_of(one)) for one in (below, above))
            raise self._refusal(
                value, f"it moves in steps of {abs(self.scale):f}: {near[0]:g} or {near[1]:g}"
            )
        return number

    def _refusal(self, value: object, why: str) -> InvalidConfigurationError:
        unit = f" {self.unit}" if self.unit else ""
        return InvalidConfigurationError(f"{self.name}: {value}{unit} cannot be written: {why}")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.scale == 0:
            raise ValueError("scale 0 makes every value the same")
        limits = (self.minimum is not None) + (self.maximum is not None)
        if bool(self.allowed) == (limits == 2) or limits == 1:
            raise ValueError("say what may be written: either minimum and maximum, or allowed values")
        if self.minimum is not None and self.maximum is not None and self.minimum >= self.maximum:
            raise ValueError("minimum must be smaller than maximum")
        for bound in self._bounds():
            self._can_hold(bound)
        return self

    def _can_hold(self, bound: Decimal) -> None:
        steps = (Fraction(bound) - Fraction(self.offset)) / Fraction(self.scale)
        lowest, highest = self.type.raw_range
        if not lowest <= steps <= highest:
            raise ValueError(f"{bound:f} cannot be written as {self.type} x {self.scale:f}")
        if self.allowed and steps.denominator != 1:
            raise ValueError(f"allowed value {bound:f} lies between two steps of {abs(self.scale):f}")


def _exactly(value: float | Decimal) -> Fraction | None:
    """The number as a person would write it, or None where it is none."""
    if isinstance(value, bool):
        return None
    if isinstance(value, Decimal):
        # Beyond that no register reaches, and the fraction would fill the memory.
        return Fraction(value) if value.is_finite() and abs(value.adjusted()) < 100 else None
    try:
        return Fraction(repr(float(value))) if math.isfinite(value) else None
    except OverflowError:
        return None


def _rounded(number: Fraction, rounding: ReadbackRounding) -> tuple[int, ...]:
    """The raw integers a device may show for `number`: two where it lies halfway, none where it cannot."""
    if rounding is ReadbackRounding.DOWN:
        return (int(number),)
    if rounding is ReadbackRounding.EXACT:
        return (int(number),) if number.denominator == 1 else ()
    below = math.floor(number)
    half = number - below
    if half == Fraction(1, 2):
        return (below, below + 1)
    return (below if half < Fraction(1, 2) else below + 1,)
