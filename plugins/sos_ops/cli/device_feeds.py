"""Which tags a device feeds: the limit analyses read points by name, and a device without them does not count."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sos_ops.engines.limits import RULES, LimitEngine, fed_by
from sos_ops.modbus.point import PointType
from sos_ops.modbus.protocol_map import ProtocolMap
from sos_ops.store.connection import Connection
from sos_ops.store.devices import devices
from sos_ops.store.maps import newest_maps
from sos_ops.store.results import limits_of_partner

SHOWN = 5
"""The most devices named in one sentence."""


@dataclass(frozen=True)
class Feeds:
    """The tags of its site that a device decides with, and why not the others."""

    tags: tuple[str, ...]
    lacking: tuple[tuple[str, str], ...]
    """Tags whose point its map lacks, with that point."""
    not_made: tuple[str, ...]
    """Tags that it would feed, but that nobody added."""
    has_map: bool = True
    """False where its map is not stored: it may measure anything, and withholds every tag."""

    @property
    def is_complete(self) -> bool:
        """True where it decides with every tag that the limit analyses know."""
        return self.has_map and not self.lacking and not self.not_made

    def text(self) -> str:
        """A sentence without its subject."""
        if not self.has_map:
            return "feeds no tag: its map is not stored"
        parts = [f"feeds {', '.join(self.tags) or 'no tag'}"]
        if self.lacking:
            tags, points = zip(*self.lacking, strict=True)
            parts.append(f"{', '.join(tags)}: the map has no {', '.join(points)}")
        if self.not_made:
            parts.append(f"{', '.join(self.not_made)}: no such tag yet, see sos-ops tag add")
        return "; ".join(parts)

    def short_text(self) -> str:
        """The same in a cell of a table."""
        if not self.has_map:
            return "no map"
        if self.is_complete:
            return f"all {len(RULES)}"
        missing = [*(tag for tag, _ in self.lacking), *self.not_made]
        # The site stands in the row already.
        names = ", ".join(tag.rpartition("/")[2] for tag in missing)
        return f"{len(self.tags)} of {len(RULES)}: not {names}" if self.tags else "no tag"


def feeds_of_devices(connection: Connection) -> dict[str, Feeds]:
    """What each device in use feeds, by its name."""
    known = devices(connection)
    maps = newest_maps(connection, {device.protocol_map for device in known})
    tags = (limits_of_partner(connection, LimitEngine.partner) or {}).keys()
    feeds = {}
    for device in known:
        stored = maps.get(device.protocol_map)
        feeds[device.name] = _feeds(None if stored is None else stored.protocol_map, device.site, tags)
    return feeds


def _feeds(protocol_map: ProtocolMap | None, site: str, tags: Collection[str]) -> Feeds:
    if protocol_map is None:
        return Feeds((), (), (), has_map=False)
    # A text is no value: the analyses do not see it.
    fed = fed_by({point.name for point in protocol_map.points if point.type != PointType.STRING}, site)
    return Feeds(
        tuple(tag for tag in fed.tags if tag in tags),
        fed.lacking,
        tuple(tag for tag in fed.tags if tag not in tags),
    )


def losses(before: Mapping[str, Feeds], after: Mapping[str, Feeds]) -> list[str]:
    """Who decides the tags that a device fed before and does not any more: a sentence for each group of deciders."""
    lost = [
        tag
        for name, feeds in before.items()
        for tag in feeds.tags
        if name not in after or tag not in after[name].tags
    ]
    groups: dict[tuple[str, ...], list[str]] = {}
    for tag in dict.fromkeys(lost):
        groups.setdefault(tuple(name for name, feeds in after.items() if tag in feeds.tags), []).append(tag)
    return [_decided(deciders, ", ".join(tags)) for deciders, tags in groups.items()]


def _decided(deciders: Sequence[str], tags: str) -> str:
    if not deciders:
        return f"no other device feeds {tags}: these tags turn unknown when their max_age is over"
    if len(deciders) == 1:
        return f"from now on {deciders[0]} alone decides {tags}"
    more = f" and {len(deciders) - SHOWN} more" if len(deciders) > SHOWN else ""
    return f"from now on {', '.join(deciders[:SHOWN])}{more} decide {tags}"
