"""Protocol maps: which registers of a device hold which points, read from YAML.

A map says everything that manuals leave open: the function code, whether its addresses begin at zero or
one, scale, the raw values that mean "not implemented", and which values are plausible. Fields a map does
not know are refused, so new ones (groups, bits, strings, writable points) can be added as optional fields
without changing what old files mean.
"""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from sos_ops.errors import InvalidConfigurationError, UnknownNameError

MAPS_DIR = Path(__file__).resolve().parent / "maps"

PROTOCOL_MAX_REGISTERS = 125
"""The most registers one request may ask for (Modbus Application Protocol 1.1b3, section 6.3)."""

LAST_REGISTER = 0xFFFF

Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
FiniteDecimal = Annotated[Decimal, Field(allow_inf_nan=False)]


class ReadFunction(StrEnum):
    """Which of the two register tables is read."""

    INPUT = "input"
    HOLDING = "holding"

    @property
    def code(self) -> int:
        """The Modbus function code: 4 for input registers, 3 for holding registers."""
        return 4 if self is ReadFunction.INPUT else 3


class Addressing(StrEnum):
    """What the first register is called in the map. On the wire it is always 0."""

    ZERO_BASED = "zero_based"
    ONE_BASED = "one_based"


class PointType(StrEnum):
    """How a point's registers are to be read: s signed, u unsigned, f IEEE 754, and the number of bits."""

    S16 = "s16"
    U16 = "u16"
    S32 = "s32"
    U32 = "u32"
    F32 = "f32"
    S64 = "s64"
    U64 = "u64"
    F64 = "f64"

    @property
    def bits(self) -> int:
        """The width in bits."""
        return int(self.value[1:])

    @property
    def registers(self) -> int:
        """The width in registers of 16 bits."""
        return self.bits // 16

    @property
    def is_float(self) -> bool:
        """True for the IEEE 754 types."""
        return self.value.startswith("f")

    @property
    def raw_range(self) -> tuple[int, int]:
        """The smallest and the largest raw integer of an integer type."""
        if self.value.startswith("s"):
            return -(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1
        return 0, (1 << self.bits) - 1


class WordOrder(StrEnum):
    """Which register comes first when a point has several."""

    HIGH_FIRST = "high_first"
    LOW_FIRST = "low_first"


class Danger(StrEnum):
    """In which direction an unlikely value of a point is suspicious of danger."""

    HIGH = "high"
    LOW = "low"
    BOTH = "both"


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Point(_Strict):
    """One named quantity: value = raw * scale + offset, in `unit`.

    `scale` and `offset` are decimals because a limit of 4.086 V must be met by the raw value 4086 exactly,
    which 4086 * 0.001 in binary is not guaranteed to do.
    """

    name: Name
    address: Annotated[int, Field(ge=0, le=LAST_REGISTER + 1)]
    """The first register, counted the way the map's `addressing` says."""
    type: PointType
    word_order: WordOrder | None = None
    """Needed for, and only for, types of more than one register."""
    scale: FiniteDecimal = Decimal(1)
    offset: FiniteDecimal = Decimal(0)
    unit: str = ""
    not_implemented: tuple[int, ...] = ()
    """Raw values that mean "not measured", signed or as bit patterns: 0x8000 and -32768 are the same."""
    plausible: tuple[FiniteDecimal, FiniteDecimal] | None = None
    """The lowest and the highest value, in `unit`, that a sane device reports."""
    danger: Danger = Danger.BOTH
    """Where danger lies for whoever uses the point. `both` discards nothing."""

    @cached_property
    def registers(self) -> int:
        """How many registers the point occupies."""
        return self.type.registers

    @cached_property
    def not_implemented_patterns(self) -> frozenset[int]:
        """`not_implemented` as unsigned bit patterns of the point's width."""
        return frozenset(raw & ((1 << self.type.bits) - 1) for raw in self.not_implemented)

    @model_validator(mode="after")
    def _makes_sense(self) -> Point:
        if self.scale == 0:
            raise ValueError("scale 0 makes every value the same")
        if self.registers > 1 and self.word_order is None:
            raise ValueError(
                f"{self.type} has {self.registers} registers: say word_order high_first or low_first"
            )
        if self.registers == 1 and self.word_order is not None:
            raise ValueError(f"word_order means nothing for {self.type}")
        lowest, highest = -(1 << (self.type.bits - 1)), (1 << self.type.bits) - 1
        for raw in self.not_implemented:
            if not lowest <= raw <= highest:
                raise ValueError(f"not_implemented value {raw} does not fit {self.type}")
        if self.plausible is not None and self.plausible[0] >= self.plausible[1]:
            raise ValueError("plausible must be [lowest, highest]")
        return self


class ProtocolMap(_Strict):
    """The registers of one kind of device."""

    name: Name
    version: Annotated[int, Field(ge=1)]
    description: str
    read_function: ReadFunction
    addressing: Addressing
    max_registers_per_request: Annotated[int, Field(ge=1, le=PROTOCOL_MAX_REGISTERS)] = PROTOCOL_MAX_REGISTERS
    max_gap: Annotated[int, Field(ge=0, le=PROTOCOL_MAX_REGISTERS)] = 8
    """How many registers between two points may be read along to save a request; 0 where there are holes."""
    denied_registers: tuple[Annotated[int, Field(ge=0, le=LAST_REGISTER + 1)], ...] = ()
    """Registers never to be touched, not even in passing."""
    points: Annotated[tuple[Point, ...], Field(min_length=1)]

    def wire_address(self, address: int) -> int:
        """The address on the wire (from 0) of an address as the map writes it."""
        return address - (1 if self.addressing is Addressing.ONE_BASED else 0)

    def point(self, name: str) -> Point:
        """The point of that name.

        Raises:
            UnknownNameError: The map has no such point.
        """
        for point in self.points:
            if point.name == name:
                return point
        raise UnknownNameError(f"protocol map {self.name} has no point {name}")

    @model_validator(mode="after")
    def _registers_are_used_once(self) -> ProtocolMap:
        owners: dict[int, str] = {}
        denied = set(self.denied_registers)
        names: set[str] = set()
        for point in self.points:
            if point.name in names:
                raise ValueError(f"point {point.name}: the name is used twice")
            names.add(point.name)
            if point.registers > self.max_registers_per_request:
                raise ValueError(f"point {point.name}: {point.type} is wider than max_registers_per_request")
            first = self.wire_address(point.address)
            if first < 0 or first + point.registers - 1 > LAST_REGISTER:
                raise ValueError(
                    f"point {point.name}: address {point.address} is outside {self.addressing} registers"
                )
            for address in range(point.address, point.address + point.registers):
                if address in denied:
                    raise ValueError(f"point {point.name}: register {address} is denied")
                if address in owners:
                    raise ValueError(
                        f"point {point.name}: register {address} belongs to {owners[address]} already"
                    )
                owners[address] = point.name
        return self


class _UniqueKeyLoader(yaml.SafeLoader):
    """YAML's own rule, which PyYAML does not keep: a key occurs once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            keys = [self.construct_object(key, deep=True) for key, _ in node.value]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise yaml.constructor.ConstructorError(None, None, f"{twice!r} is given twice", node.start_mark)
        return mapping


def load_map(path: Path) -> ProtocolMap:
    """The protocol map in a YAML file.

    Raises:
        InvalidConfigurationError: The file cannot be read or used; names the file, the point and the reason.
    """
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeyLoader)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise InvalidConfigurationError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidConfigurationError(f"{path}: is not UTF-8 text") from error
    except yaml.YAMLError as error:
        raise InvalidConfigurationError(f"{path}: is not valid YAML: {_one_line(str(error))}") from error
    if not isinstance(document, dict):
        raise InvalidConfigurationError(f"{path}: is no protocol map (name, version, points ... are missing)")
    try:
        return ProtocolMap.model_validate(document)
    except ValidationError as error:
        raise InvalidConfigurationError(f"{path}: {_first_reason(error.errors()[0], document)}") from error


def bundled_map_names() -> list[str]:
    """The names of the maps that come with the platform, in order."""
    return sorted(path.stem for path in MAPS_DIR.glob("*.yaml"))


@lru_cache(maxsize=64)
def bundled_map(name: str) -> ProtocolMap:
    """A map that comes with the platform.

    Raises:
        UnknownNameError: There is no such map; names those there are.
    """
    if name not in bundled_map_names():
        raise UnknownNameError(f"no protocol map {name!r}; there are: {', '.join(bundled_map_names())}")
    return load_map(MAPS_DIR / f"{name}.yaml")


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip()


def _first_reason(error: ErrorDetails, document: dict[str, Any]) -> str:
    """`point NAME: field: reason`, as far as the error is about a point or a field."""
    where = list(error["loc"])
    words: list[str] = []
    if len(where) >= 2 and where[0] == "points" and isinstance(where[1], int):
        words.append(f"point {_point_label(document['points'], where[1])}")
        where = where[2:]
    if where:
        words.append(".".join(str(part) for part in where))
    reason = "is no field of a protocol map" if error["type"] == "extra_forbidden" else error["msg"]
    words.append(_one_line(reason.removeprefix("Value error, ")))
    return ": ".join(words)


def _point_label(points: Any, index: int) -> str:
    try:
        return str(points[index]["name"])
    except (KeyError, IndexError, TypeError):
        return f"number {index + 1}"
