"""What a write to a device would be: checked in full, and sent by nobody."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.poll import DeviceAddress
from sos_ops.modbus.protocol_map import Point, ProtocolMap, WritablePoint
from sos_ops.settings import get_settings


@dataclass(frozen=True)
class ShadowWrite:
    """A write that passed every check and is not made."""

    device: DeviceAddress
    point: str
    value: float
    """In `unit`."""
    unit: str
    register: int
    """The holding register on the wire, from 0."""
    raw: int
    """What the register would be set to, 0 to 65535."""
    readback: str
    """The point that would show it."""
    readback_register: int
    """Its first register on the wire, from 0."""
    expected: tuple[float, ...]
    """What that point may show then, in `unit`: two values where the device may round either way."""

    def line(self) -> str:
        """One line for the log."""
        unit = f" {self.unit}" if self.unit else ""
        expected = " or ".join(f"{value:g}{unit}" for value in self.expected)
        where = f"{self.device.name} ({self.device.host}:{self.device.port} unit {self.device.unit_id})"
        return (
            f"shadow, nothing is sent: {where} would get {self.point} = {self.value:g}{unit}, raw {self.raw} in holding"
            f" register {self.register}; {self.readback} showing {expected} would confirm it"
        )

    def as_result(self) -> dict[str, Any]:
        """The same for an XCom."""
        readback = {
            "point": self.readback,
            "register": self.readback_register,
            "expected": list(self.expected),
        }
        return {
            "device": self.device.name,
            "point": self.point,
            "value": self.value,
            "unit": self.unit,
            "register": self.register,
            "raw": self.raw,
            "readback": readback,
            "written": False,
        }


def plan_write(device: DeviceAddress, protocol_map: ProtocolMap, point: str, value: object) -> ShadowWrite:
    """Checks a write as if it were to be made.

    Args:
        device: Who would get it.
        protocol_map: The device's map; when it was loaded, no writable point was in a denied register.
        point: A writable point's name.
        value: A number in the point's unit, or its text as templates give it.

    Raises:
        UnknownNameError: The map has no such writable point.
        InvalidConfigurationError: The value may not be written there; says what may.
    """
    writable = protocol_map.writable_point(point)
    demo = get_settings()
    if writable.demo_only and (device.host, device.port) != (demo.modbus_host, demo.modbus_port):
        raise InvalidConfigurationError(
            f"{point} exists in the demo's BMS only ({demo.modbus_host}:{demo.modbus_port}), and {device.name} is"
            f" {device.host}:{device.port}: use the map of the device itself"
        )
    raw = writable.raw(_number(point, value))
    readback = protocol_map.point(writable.readback)
    return ShadowWrite(
        device=device,
        point=point,
        value=writable.value(raw),
        unit=writable.unit,
        register=protocol_map.register_to_write(writable).start,
        raw=raw,
        readback=readback.name,
        readback_register=protocol_map.registers_of(readback).start,
        expected=_expected(writable, readback, raw),
    )


def _number(point: str, value: object) -> float:
    try:
        number = float(str(value))
    except ValueError:
        raise InvalidConfigurationError(
            f"{point}: {value!r} is no number: give one in the point's unit"
        ) from None
    return number


def _expected(writable: WritablePoint, readback: Point, raw: int) -> tuple[float, ...]:
    """The values of the readback point that confirm `raw`; a float shows the value itself."""
    value = writable.value(raw)
    if readback.type.is_float:
        return (value,)
    step, start = Fraction(readback.scale), Fraction(readback.offset)
    below = math.floor((Fraction(repr(value)) - start) / step)
    shown = [float(number * step + start) for number in (below, below + 1)]
    return tuple(one for one in shown if writable.is_confirmed_by(readback, raw, one))
