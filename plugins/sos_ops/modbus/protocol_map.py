"""Protocol maps: which registers of a device hold which points.

A map says everything that manuals leave open: the function code, whether its addresses begin at zero or
one, scale, the raw values that mean "not implemented", which values are plausible, which registers must
never be touched. What a person writes is the language of `map_file`; here is what comes out of it, with the
groups written out, and what everything else uses.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from sos_ops.errors import InvalidConfigurationError, UnknownNameError
from sos_ops.modbus.map_errors import first_of, one_line_of
from sos_ops.modbus.map_file import MOST_POINTS, read_map_file
from sos_ops.modbus.map_head import (
    Addressing,
    AddressRange,
    DeniedRange,
    MapHead,
    RegisterMask,
    RegisterRange,
)
from sos_ops.modbus.point import (
    LAST_REGISTER,
    PROTOCOL_MAX_REGISTERS,
    ByteOrder,
    Danger,
    Point,
    PointType,
    ReadFunction,
    WordOrder,
)
from sos_ops.modbus.writable import ReadbackRounding, WritablePoint

__all__ = [
    "LAST_REGISTER",
    "PROTOCOL_MAX_REGISTERS",
    "AddressRange",
    "Addressing",
    "ByteOrder",
    "Danger",
    "DeniedRange",
    "Point",
    "PointType",
    "ProtocolMap",
    "ReadFunction",
    "ReadbackRounding",
    "RegisterMask",
    "RegisterRange",
    "WordOrder",
    "WritablePoint",
    "bundled_map",
    "bundled_map_names",
    "load_map",
]

MAPS_DIR = Path(__file__).resolve().parent / "maps"


class ProtocolMap(MapHead):
    """The registers of one kind of device, every point with its table and its own address."""

    points: Annotated[tuple[Point, ...], Field(min_length=1, max_length=MOST_POINTS)]

    @cached_property
    def points_by_name(self) -> dict[str, Point]:
        """The points, found by name."""
        return {point.name: point for point in self.points}

    @cached_property
    def denied_ranges(self) -> tuple[RegisterRange, ...]:
        """`denied`, as counted on the wire."""
        return tuple(self._on_the_wire(one) for one in self.denied)

    @cached_property
    def forbidden_ranges(self) -> tuple[RegisterRange, ...]:
        """What no request may reach into: `denied` and `unreadable`, as counted on the wire."""
        return self.denied_ranges + tuple(self._on_the_wire(one) for one in self.unreadable)

    @cached_property
    def forbidden(self) -> RegisterMask:
        """`forbidden_ranges`, made for asking."""
        return RegisterMask(self.forbidden_ranges)

    def point(self, name: str) -> Point:
        """The point of that name.

        Raises:
            UnknownNameError: The map has no such point.
        """
        try:
            return self.points_by_name[name]
        except KeyError:
            raise UnknownNameError(f"protocol map {self.name} has no point {name}") from None

    def writable_point(self, name: str) -> WritablePoint:
        """The writable point of that name.

        Raises:
            UnknownNameError: The map has no such point, or it is not writable.
        """
        for writable in self.writable_points:
            if writable.name == name:
                return writable
        there_are = ", ".join(one.name for one in self.writable_points) or "none"
        raise UnknownNameError(
            f"protocol map {self.name} has no writable point {name}; there are: {there_are}"
        )

    def registers_of(self, point: Point) -> RegisterRange:
        """The registers a point occupies, as counted on the wire."""
        return RegisterRange(point.function, self.wire_address(point.address), point.registers)

    def register_to_write(self, writable: WritablePoint) -> RegisterRange:
        """The holding register a writable point is written to, as counted on the wire."""
        return RegisterRange(ReadFunction.HOLDING, self.wire_address(writable.address), 1)

    def content(self) -> str:
        """The whole map as one canonical JSON text: same map, same bytes, on any machine and in any year.

        Fields at their default are left out, so a field the language gains later changes no content; no
        default may ever change.
        """
        fields = self.model_dump(mode="json", exclude_defaults=True)
        # The table is always said: left out it would be read as the map's.
        for written, point in zip(fields["points"], self.points, strict=True):
            written["function"] = point.function.value
        return json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the content, in hexadecimal."""
        return hashlib.sha256(self.content().encode()).hexdigest()

    @classmethod
    def from_content(cls, text: str) -> ProtocolMap:
        """The map of a content.

        Raises:
            InvalidConfigurationError: The text is no map's content.
        """
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InvalidConfigurationError(f"stored protocol map: {one_line_of(error, None)}") from error

    def _on_the_wire(self, registers: AddressRange) -> RegisterRange:
        return RegisterRange(registers.table, self.wire_address(registers.address), registers.count)

    @model_validator(mode="before")
    @classmethod
    def _points_without_a_table_have_the_maps(cls, fields: Any) -> Any:
        if not isinstance(fields, dict) or not isinstance(fields.get("points"), list | tuple):
            return fields
        function = fields.get("read_function")
        return {**fields, "points": [_with_function(point, function) for point in fields["points"]]}

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = [*self._misplaced(), *self._twice_used(), *self._unwritable()]
        if problems:
            raise ValueError(first_of(problems))
        return self

    def _misplaced(self) -> Iterator[str]:
        for kind, ranges in (("denied", self.denied), ("unreadable", self.unreadable)):
            for one in ranges:
                if not self._exists(one.address, one.count):
                    last = one.address + one.count - 1
                    yield f"{kind}: {one.table} registers {one.address} to {last} are outside {self.addressing} ones"
        for point in self.points:
            if point.registers > self.max_registers_per_request:
                yield f"point {point.name}: {point.type} is wider than max_registers_per_request"
            if not self._exists(point.address, point.registers):
                yield f"point {point.name}: address {point.address} is outside {self.addressing} registers"
            if (found := self.forbidden.first_in(self.registers_of(point))) is not None:
                yield f"point {point.name}: {self._what_is_forbidden(RegisterRange(point.function, found, 1))}"

    def _twice_used(self) -> Iterator[str]:
        names: set[str] = set()
        owners: dict[tuple[ReadFunction, int], list[Point]] = {}
        for point in self.points:
            if point.name in names:
                yield f"point {point.name}: the name is used twice"
            names.add(point.name)
            for address in range(point.address, point.address + point.registers):
                sharing = owners.setdefault((point.function, address), [])
                for other in sharing:
                    if what := _clash(point, other, address):
                        yield f"point {point.name}: {what} belongs to {other.name} already"
                        break
                else:
                    sharing.append(point)
                    continue
                break

    def _unwritable(self) -> Iterator[str]:
        names: set[str] = set()
        owners: dict[int, str] = {}
        denied = RegisterMask(self.denied_ranges)
        for writable in self.writable_points:
            label = f"writable point {writable.name}"
            if writable.name in names:
                yield f"{label}: the name is used twice"
            names.add(writable.name)
            if writable.address in owners:
                yield f"{label}: holding register {writable.address} belongs to {owners[writable.address]} already"
            owners[writable.address] = writable.name
            if not self._exists(writable.address, 1):
                yield f"{label}: address {writable.address} is outside {self.addressing} registers"
            if denied.first_in(self.register_to_write(writable)) is not None:
                yield f"{label}: {self._what_is_forbidden(self.register_to_write(writable))}"
            readback = self.points_by_name.get(writable.readback)
            if readback is None:
                yield f"{label}: readback: there is no point {writable.readback}"
            elif trouble := writable.readback_trouble(readback):
                yield f"{label}: readback: {trouble}"

    def _what_is_forbidden(self, register: RegisterRange) -> str:
        for kind, ranges in (("denied", self.denied), ("unreadable", self.unreadable)):
            for one in ranges:
                if self._on_the_wire(one).touches(register):
                    address = register.start + (one.address - self.wire_address(one.address))
                    because = f" ({one.why})" if one.why else ""
                    return f"{one.table} register {address} is {kind}{because}"
        raise AssertionError("asked about a register that is not forbidden")

    def _exists(self, address: int, count: int) -> bool:
        return self.wire_address(address) >= 0 and self.wire_address(address) + count - 1 <= LAST_REGISTER


def load_map(path: Path) -> ProtocolMap:
    """The protocol map in a YAML file.

    Raises:
        InvalidConfigurationError: The file cannot be read or used; names the file, the point and the reason.
    """
    written = read_map_file(path)
    try:
        return ProtocolMap.model_validate(written.written_out())
    except ValidationError as error:
        raise InvalidConfigurationError(f"{path}: {one_line_of(error, written.written_out())}") from error


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


def _with_function(point: Any, function: Any) -> Any:
    if isinstance(point, dict):
        return {"function": function, **point} if function is not None else point
    if isinstance(point, Point) and "function" not in point.model_fields_set and function is not None:
        return point.model_copy(update={"function": ReadFunction(function)})
    return point


def _clash(point: Point, other: Point, address: int) -> str | None:
    """What of register `address` both points want for themselves; bits may share a register with flags."""
    kinds = {point.type, other.type}
    if kinds == {PointType.BIT}:
        return f"bit {point.bit} of register {address}" if point.bit == other.bit else None
    if PointType.BIT in kinds and (point.type.is_bitfield or other.type.is_bitfield):
        return None
    return f"{point.function} register {address}"
