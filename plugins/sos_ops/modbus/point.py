"""Points: what one or more registers of a device mean."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

PROTOCOL_MAX_REGISTERS = 125
"""The most registers one request may ask for (Modbus Application Protocol 1.1b3, section 6.3)."""

LAST_REGISTER = 0xFFFF

_MOST_DIGITS = 30
_NAME = "[a-z][a-z0-9_]{0,62}"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class ReadFunction(StrEnum):
    """Which of the two register tables is read."""

    INPUT = "input"
    HOLDING = "holding"

    @property
    def code(self) -> int:
        """The Modbus function code: 4 for input registers, 3 for holding registers."""
        return 4 if self is ReadFunction.INPUT else 3


class PointType(StrEnum):
    """How a point's registers are to be read: s signed, u unsigned, f IEEE 754, and the number of bits.

    `bit` is one bit of a register, `bits16` and `bits32` are sets of named flags, `string` is text.
    """

    S16 = "s16"
    U16 = "u16"
    S32 = "s32"
    U32 = "u32"
    S64 = "s64"
    U64 = "u64"
    F32 = "f32"
    F64 = "f64"
    BIT = "bit"
    BITS16 = "bits16"
    BITS32 = "bits32"
    STRING = "string"

    @property
    def registers(self) -> int:
        """The width in registers of 16 bits; 0 for a string, whose point says how long it is."""
        return _REGISTERS[self]

    @property
    def bits(self) -> int:
        """The width in bits of the registers."""
        return 16 * self.registers

    @property
    def is_float(self) -> bool:
        """True for the IEEE 754 types."""
        return self in (PointType.F32, PointType.F64)

    @property
    def is_bitfield(self) -> bool:
        """True for the sets of flags."""
        return self in (PointType.BITS16, PointType.BITS32)

    @property
    def is_number(self) -> bool:
        """True for what is measured or counted: neither text nor a set of flags."""
        return self is not PointType.STRING and not self.is_bitfield

    @property
    def raw_range(self) -> tuple[int, int]:
        """The smallest and the largest raw integer of an integer type."""
        if self is PointType.BIT:
            return 0, 1
        if self.value.startswith("s"):
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1


_REGISTERS = {
    PointType.S16: 1,
    PointType.U16: 1,
    PointType.S32: 2,
    PointType.U32: 2,
    PointType.S64: 4,
    PointType.U64: 4,
    PointType.F32: 2,
    PointType.F64: 4,
    PointType.BIT: 1,
    PointType.BITS16: 1,
    PointType.BITS32: 2,
    PointType.STRING: 0,
}


class WordOrder(StrEnum):
    """Which register comes first when a point has several."""

    HIGH_FIRST = "high_first"
    LOW_FIRST = "low_first"


class ByteOrder(StrEnum):
    """Which byte of a register comes first. Modbus says the high one; some devices do not."""

    HIGH_FIRST = "high_first"
    LOW_FIRST = "low_first"


class Danger(StrEnum):
    """In which direction an unlikely value of a point is suspicious of danger."""

    HIGH = "high"
    LOW = "low"
    BOTH = "both"


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise ValueError("true and false are no numbers")
    return value


def _plain(number: Decimal) -> Decimal:
    """The same number in one spelling, so that 0.10 and 0.1 make the same content."""
    if number and not (-_MOST_DIGITS <= number.adjusted() <= _MOST_DIGITS):
        raise ValueError(f"is beyond {_MOST_DIGITS} digits")
    short = number.normalize() + 0
    return short.quantize(Decimal(1)) if short == short.to_integral_value() else short


def _name(text: str) -> str:
    if not re.fullmatch(_NAME, text):
        raise ValueError(f"{text[:100]!r}: a name has up to 63 of a-z, 0-9 and _, a letter first")
    return text


def _printable(text: str) -> str:
    if _CONTROL.search(text.replace("\n", " ").replace("\t", " ")):
        raise ValueError("has control characters")
    return text


Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": f"^{_NAME}$"})]
WholeNumber = Annotated[int, Field(strict=True)]
FiniteDecimal = Annotated[
    Decimal,
    BeforeValidator(_no_bool),
    Field(allow_inf_nan=False, max_digits=_MOST_DIGITS),
    AfterValidator(_plain),
    WithJsonSchema({"type": "number"}),
]
Address = Annotated[WholeNumber, Field(ge=0, le=LAST_REGISTER + 1)]
Unit = Annotated[str, Field(max_length=20), AfterValidator(_printable)]
Description = Annotated[str, Field(max_length=2000), AfterValidator(_printable)]
BitNumber = Annotated[WholeNumber, Field(ge=0, le=31)]


class Strict(BaseModel):
    """A frozen model that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    def __copy__(self) -> Self:
        """A copy without what was computed from the fields: `model_copy` may change them."""
        copied = super().__copy__()
        for computed in copied.__dict__.keys() - type(self).model_fields.keys():
            del copied.__dict__[computed]
        return copied


class PointFields(Strict):
    """What a point says of itself, in a file and when loaded: value = raw * scale + offset, in `unit`.

    `scale` and `offset` are decimals because a limit of 4.086 V must be met by the raw value 4086 exactly,
    which 4086 * 0.001 in binary is not guaranteed to do.
    """

    name: Name
    """Lower case letters, digits and underscores; readings bear it."""
    address: Address
    """The first register, counted the way the map's `addressing` says."""
    type: PointType
    """s signed, u unsigned, f IEEE 754 and the number of bits; bit, bits16, bits32 (flags), string."""
    length: Annotated[WholeNumber, Field(ge=1, le=PROTOCOL_MAX_REGISTERS)] | None = None
    """How many registers a string has: two characters each. Needed for, and only for, strings."""
    bit: Annotated[WholeNumber, Field(ge=0, le=15)] | None = None
    """Which bit of the register, 0 the lowest. Needed for, and only for, type bit."""
    word_order: WordOrder | None = None
    """Which register comes first. Needed for, and only for, numbers and flags of more than one register."""
    byte_order: ByteOrder = ByteOrder.HIGH_FIRST
    """Which byte of each register comes first. Modbus says high_first."""
    scale: FiniteDecimal = Decimal(1)
    """What the raw number is multiplied by."""
    offset: FiniteDecimal = Decimal(0)
    """What is added then, in `unit`."""
    unit: Unit = ""
    """The unit of the value as people write it: V, A, °C, %."""
    not_implemented: Annotated[tuple[WholeNumber, ...], Field(max_length=64)] = ()
    """Raw values that mean "not measured", signed or as bit patterns: 0x8000 and -32768 are the same."""
    plausible: tuple[FiniteDecimal, FiniteDecimal] | None = None
    """The lowest and the highest value, in `unit`, that a sane device reports."""
    danger: Danger = Danger.BOTH
    """Where danger lies for whoever uses the point. `both` discards nothing."""
    flags: dict[Name, BitNumber] = Field(default_factory=dict)
    """The names of a set of flags: which bit each one is, 0 the lowest."""

    @cached_property
    def registers(self) -> int:
        """How many registers the point occupies."""
        return self.length or self.type.registers

    @cached_property
    def not_implemented_patterns(self) -> frozenset[int]:
        """`not_implemented` as unsigned bit patterns of the point's registers."""
        return frozenset(raw & ((1 << self.type.bits) - 1) for raw in self.not_implemented)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        self._width_is_said()
        self._only_numbers_are_scaled()
        self._raw_values_fit()
        if self.scale == 0:
            raise ValueError("scale 0 makes every value the same")
        if self.plausible is not None and self.plausible[0] >= self.plausible[1]:
            raise ValueError("plausible must be [lowest, highest]")
        return self

    def _width_is_said(self) -> None:
        wide = self.type.registers > 1
        if wide and self.word_order is None:
            raise ValueError(
                f"{self.type} has {self.type.registers} registers: say word_order high_first or low_first"
            )
        if not wide and self.word_order is not None:
            raise ValueError(f"word_order means nothing for {self.type}")
        for field, owner in (("length", PointType.STRING), ("bit", PointType.BIT)):
            if (getattr(self, field) is None) == (self.type is owner):
                said = f"say its {field}" if self.type is owner else f"{field} means nothing for {self.type}"
                raise ValueError(f"{self.type}: {said}" if self.type is owner else said)

    def _only_numbers_are_scaled(self) -> None:
        if not self.type.is_number:
            for field in ("scale", "offset", "plausible"):
                if getattr(self, field) != type(self).model_fields[field].default:
                    raise ValueError(f"{field} means nothing for {self.type}")
        if self.flags and not self.type.is_bitfield:
            raise ValueError(f"flags mean nothing for {self.type}: they belong to bits16 and bits32")

    def _raw_values_fit(self) -> None:
        if self.type is PointType.STRING and self.not_implemented:
            raise ValueError("not_implemented means nothing for string: one of NUL bytes only is none")
        lowest, highest = -(1 << max(self.type.bits - 1, 0)), (1 << self.type.bits) - 1
        for raw in self.not_implemented:
            if not lowest <= raw <= highest:
                raise ValueError(f"not_implemented value {raw} does not fit {self.type}")
        names_of: dict[int, str] = {}
        for flag, bit in self.flags.items():
            if bit >= self.type.bits:
                raise ValueError(f"flags: {flag} is bit {bit}, but {self.type} ends at {self.type.bits - 1}")
            if bit in names_of:
                raise ValueError(f"flags: bit {bit} is both {names_of[bit]} and {flag}")
            names_of[bit] = flag


class Point(PointFields):
    """One named quantity of a loaded map, its groups written out."""

    function: ReadFunction = ReadFunction.INPUT
    """The table the point is read from. A map sets its own where a point does not say."""

    def __hash__(self) -> int:
        """By place and name; equality compares everything."""
        return hash((self.name, self.function, self.address))
