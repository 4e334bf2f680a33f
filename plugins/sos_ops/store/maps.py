"""Protocol maps as the database keeps them: every version, so that tasks and old raw registers find theirs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sos_ops.errors import InvalidConfigurationError, UnknownNameError
from sos_ops.modbus.protocol_map import ProtocolMap, bundled_map, bundled_map_names
from sos_ops.store import sql
from sos_ops.store.connection import Connection


@dataclass(frozen=True)
class StoredMap:
    """A version of a map, with the id by which raw registers name it."""

    map_id: int
    protocol_map: ProtocolMap


@dataclass(frozen=True)
class MapVersion:
    """A stored version, for whoever looks at the list; `devices` counts those that are read with it now."""

    map_id: int
    name: str
    version: int
    sha256: str
    added_by: str
    added_at: datetime
    devices: int


@lru_cache(maxsize=256)
def parsed(content: str) -> ProtocolMap:
    """The map of a stored content; the same object for the same content, as it takes a while to read."""
    return ProtocolMap.from_content(content)


def save_map(connection: Connection, protocol_map: ProtocolMap) -> int:
    """Stores a version of a map; where the same stands already, nothing changes.

    Returns:
        Its id.

    Raises:
        InvalidConfigurationError: this version stands with another content, or a newer one does.
    """
    name, version = protocol_map.name, protocol_map.version
    newest = connection.execute(sql.load("select_newest_maps"), {"names": [name]}).fetchone()
    if newest is not None and newest[2] > version:
        standing = _standing(connection, protocol_map)
        if standing is not None:
            return standing
        raise InvalidConfigurationError(
            f"map {name} version {version}: version {newest[2]} is stored already, and the newest counts: raise the "
            f"version to {newest[2] + 1}"
        )
    parameters = {
        "name": name,
        "version": version,
        "content": protocol_map.content(),
        "sha256": protocol_map.sha256,
        "points": [point.name for point in protocol_map.points],
    }
    row = connection.execute(sql.load("insert_map"), parameters).fetchone()
    if row is not None:
        return int(row[0])
    map_id = _standing(connection, protocol_map)
    assert map_id is not None  # noqa: S101  # the insert found it
    return map_id


def _standing(connection: Connection, protocol_map: ProtocolMap) -> int | None:
    name, version = protocol_map.name, protocol_map.version
    row = connection.execute(sql.load("select_map"), {"name": name, "version": version}).fetchone()
    if row is None:
        return None
    if row[2] != protocol_map.sha256:
        raise InvalidConfigurationError(
            f"map {name} version {version} is stored with another content, and raw registers name it: raise the version"
        )
    return int(row[0])


def newest_map(connection: Connection, name: str) -> StoredMap:
    """The version that counts.

    Raises:
        UnknownNameError: no map of this name is stored.
    """
    found = newest_maps(connection, [name])
    if name not in found:
        raise UnknownNameError(
            f"no protocol map {name!r} is stored: `sos-ops modbus maps` lists those there are"
        )
    return found[name]


def newest_maps(connection: Connection, names: Collection[str]) -> dict[str, StoredMap]:
    """The version that counts of each of these maps, by name; those that are not stored are left out."""
    rows = connection.execute(sql.load("select_newest_maps"), {"names": sorted(set(names))})
    return {str(row[1]): StoredMap(int(row[0]), parsed(row[3])) for row in rows}


def map_by_id(connection: Connection, map_id: int) -> StoredMap:
    """The version that raw registers name.

    Raises:
        UnknownNameError: there is none.
    """
    found = maps_by_id(connection, [map_id])
    if map_id not in found:
        raise UnknownNameError(f"no protocol map has the id {map_id}")
    return StoredMap(map_id, found[map_id])


def maps_by_id(connection: Connection, map_ids: Collection[int]) -> Mapping[int, ProtocolMap]:
    """Maps by their id."""
    rows = connection.execute(sql.load("select_maps_by_id"), {"map_ids": sorted(set(map_ids))})
    return {int(row[0]): parsed(row[1]) for row in rows}


def stored_maps(connection: Connection) -> list[MapVersion]:
    """Every version of every map, by name and version."""
    return [MapVersion(*row) for row in connection.execute(sql.load("select_map_versions"))]


def ensure_map(connection: Connection, name: str) -> StoredMap:
    """The version that counts; a map that comes with the platform is stored the first time it is asked for.

    Raises:
        UnknownNameError: neither stored nor bundled.
    """
    found = newest_maps(connection, [name])
    if name in found:
        return found[name]
    try:
        protocol_map = bundled_map(name)
    except UnknownNameError as error:
        raise UnknownNameError(
            f"no protocol map {name!r}: `sos-ops modbus maps` lists those there are"
        ) from error
    return StoredMap(save_map(connection, protocol_map), protocol_map)


def renew_bundled_maps(connection: Connection) -> list[str]:
    """Stores the versions that come with the platform of maps which the database knows, where they are newer.

    Returns:
        A line for each map that changed, and for each that could not because somebody changed it without raising its
        version: that one is left alone.
    """
    lines: list[str] = []
    bundled = set(bundled_map_names())
    for name, stored in newest_maps(connection, bundled).items():
        shipped, known = bundled_map(name), stored.protocol_map.version
        if shipped.version > known:
            save_map(connection, shipped)
            lines.append(f"map {name}: version {known} -> {shipped.version}, as it comes with the platform")
        elif shipped.version == known and shipped.sha256 != stored.protocol_map.sha256:
            lines.append(
                f"map {name}: the stored version {known} differs from the one that comes with the platform and stays"
            )
    return lines
