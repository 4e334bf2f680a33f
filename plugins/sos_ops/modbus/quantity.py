"""What a point's name tells of its quantity beyond its unit. Names are the platform's own, in English."""

from __future__ import annotations

from sos_ops.modbus.point import Point

_DIFFERENCES = ("difference", "delta", "deviation", "gap", "spread", "imbalance")


def is_difference(point: Point) -> bool:
    """True for a spread between values, which has their unit but not their size."""
    return any(word in point.name for word in _DIFFERENCES) or point.name.endswith(("_dv", "_dt"))


def is_cell_voltage(point: Point) -> bool:
    """True for the voltage of one cell."""
    return (
        point.unit == "V" and "cell" in point.name and not is_difference(point) and "limit" not in point.name
    )
