"""The language of protocol map files: what a person writes, in YAML, and its writing out into flat points.

A file is a map's head, its points, and groups: points that repeat at a stride, nested as deep as racks,
modules and cells are. Nothing is guessed: fields the language does not know are refused, and YAML is read
the narrow way (1.2: no octal 010, no `on` for true), because a register read for another looks right.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import ConfigDict, Field, ValidationError, model_validator

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.map_errors import one_line_of
from sos_ops.modbus.map_head import AddressRange, DeniedRange, MapHead
from sos_ops.modbus.narrow_yaml import read_yaml
from sos_ops.modbus.point import LAST_REGISTER, Address, Name, PointFields, ReadFunction, Strict, WholeNumber
from sos_ops.modbus.writable import WritablePoint

MOST_POINTS = 20_000
"""The most points of one map, groups written out: eight times the whole KETI testbed."""


class FilePoint(PointFields):
    """A point as a file writes it. Inside a group, its address counts from the group's start."""

    read_function: ReadFunction | None = None
    """The table, where it differs from the group's or the map's."""


class FileGroup(Strict):
    """Points that repeat: `count` times, each time `stride` registers further on.

    The points of group `rack` are called `rack1_soc`, `rack2_soc` and so on; of group `module` inside it
    `rack1_module1_...`.
    """

    name: Name
    """What the copies are called, before their number."""
    address: Address
    """Where the first copy begins: inside another group counted from that group's start, else a register."""
    count: Annotated[WholeNumber, Field(ge=1, le=LAST_REGISTER + 1)]
    """How many copies there are."""
    stride: Annotated[WholeNumber, Field(ge=1, le=LAST_REGISTER + 1)] | None = None
    """How many registers from the start of one copy to the start of the next; needed for two and more."""
    first_index: Annotated[WholeNumber, Field(ge=0, le=100_000)] = 1
    """The number of the first copy."""
    read_function: ReadFunction | None = None
    """The table, where it differs from the map's."""
    points: Annotated[tuple[FilePoint, ...], Field(max_length=MOST_POINTS)] = ()
    """The points of one copy."""
    groups: Annotated[tuple[FileGroup, ...], Field(max_length=MOST_POINTS)] = ()
    """Groups within one copy."""

    def extent(self) -> int:
        """How many registers one copy spans, from its start to the end of its last point."""
        ends = [point.address + point.registers for point in self.points]
        ends += [group.address + group.span() for group in self.groups]
        return max(ends)

    def span(self) -> int:
        """How many registers all copies span."""
        return (self.count - 1) * (self.stride or 0) + self.extent()

    def points_written_out(self) -> int:
        """How many points all copies have."""
        return self.count * (len(self.points) + sum(group.points_written_out() for group in self.groups))

    @model_validator(mode="after")
    def _copies_do_not_overlap(self) -> Self:
        if not self.points and not self.groups:
            raise ValueError("has neither points nor groups")
        if self.count > 1 and self.stride is None:
            raise ValueError(f"count {self.count} needs a stride")
        if self.count > 1 and self.stride is not None and self.stride < self.extent():
            raise ValueError(f"stride {self.stride} is smaller than the {self.extent()} registers it holds")
        return self


class MapFile(MapHead):
    """A protocol map as a file writes it."""

    model_config = ConfigDict(title="sos-ops protocol map")

    points: Annotated[tuple[FilePoint, ...], Field(max_length=MOST_POINTS)] = ()
    """The points that occur once."""
    groups: Annotated[tuple[FileGroup, ...], Field(max_length=MOST_POINTS)] = ()
    """The points that repeat."""

    @model_validator(mode="after")
    def _has_points_and_not_too_many(self) -> Self:
        count = len(self.points) + sum(group.points_written_out() for group in self.groups)
        if count == 0:
            raise ValueError("has no points: give it points, groups or both")
        if count > MOST_POINTS:
            raise ValueError(f"{count} points with the groups written out: {MOST_POINTS} are the most")
        return self

    def written_out(self) -> dict[str, Any]:
        """The fields of the flat map: the head as it is, and every point with its table and address."""
        fields = {name: getattr(self, name) for name in MapHead.model_fields}
        own = _copies(self.points, "", 0, self.read_function)
        grouped = (p for group in self.groups for p in _group_copies(group, "", 0, self.read_function))
        return {**fields, "points": [*own, *grouped]}


_FIELDS: dict[str, Collection[str]] = {
    "": MapFile.model_fields,
    "points": FilePoint.model_fields,
    "groups": FileGroup.model_fields,
    "writable_points": WritablePoint.model_fields,
    "denied": DeniedRange.model_fields,
    "unreadable": AddressRange.model_fields,
}


def read_map_file(path: Path) -> MapFile:
    """What a YAML file says.

    Raises:
        InvalidConfigurationError: The file cannot be read or used; names the file, the group, the point, the
            field and the reason.
    """
    try:
        document = read_yaml(path)
        if not isinstance(document, dict):
            raise InvalidConfigurationError("is no protocol map (name, version, points ... are missing)")
        return MapFile.model_validate(document)
    except ValidationError as error:
        raise InvalidConfigurationError(f"{path}: {one_line_of(error, document, _FIELDS)}") from error
    except InvalidConfigurationError as error:
        raise InvalidConfigurationError(f"{path}: {error}") from error


def _group_copies(
    group: FileGroup, prefix: str, start: int, function: ReadFunction
) -> Iterator[dict[str, Any]]:
    function = group.read_function or function
    for copy in range(group.count):
        here = start + group.address + copy * (group.stride or 0)
        label = f"{prefix}{group.name}{group.first_index + copy}_"
        yield from _copies(group.points, label, here, function)
        for inner in group.groups:
            yield from _group_copies(inner, label, here, function)


def _copies(
    points: tuple[FilePoint, ...], prefix: str, start: int, function: ReadFunction
) -> Iterator[dict[str, Any]]:
    for point in points:
        fields = {name: getattr(point, name) for name in PointFields.model_fields}
        yield {
            **fields,
            "name": prefix + point.name,
            "address": start + point.address,
            "function": point.read_function or function,
        }
