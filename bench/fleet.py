"""A fleet of sites for the measurements: partners, tags with limits, sets, and results minute by minute."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations

import numpy as np

from sos_ops.safety.score import Limits
from sos_ops.store.catalogue import add_partner, add_tag
from sos_ops.store.connection import Connection
from sos_ops.store.results import write_results

PARTNERS = ("usad", "chonnam", "suresoft", "wise", "limits_of_keti")
TAGS_PER_SITE = 20
SETS_BY_SIZE = {1: 20, 2: 60, 3: 60, 4: 60}
"""As many sets of each size as of any other, but that 20 tags make no more than 20 sets of one."""
SETS_PER_SITE = sum(SETS_BY_SIZE.values())


@dataclass(frozen=True)
class FleetTag:
    """A tag of the fleet."""

    name: str
    partner: str
    limits: Limits


@dataclass(frozen=True)
class Fleet:
    """Sites of 20 tags of 5 partners each, and 200 sets of 1 to 4 of a site's tags, in about equal numbers.

    Attributes:
        tags: site by site.
        sets: the names of each set's tags.
    """

    tags: tuple[FleetTag, ...]
    sets: tuple[tuple[str, ...], ...]

    @classmethod
    def of(cls, sites: int, seed: int = 7305) -> Fleet:
        """A fleet that is the same for the same seed."""
        random = np.random.default_rng(seed)
        tags = [
            _tag(f"site{site:04d}", number, random)
            for site in range(sites)
            for number in range(TAGS_PER_SITE)
        ]
        sets: list[tuple[str, ...]] = []
        for site in range(sites):
            names = [tag.name for tag in tags[site * TAGS_PER_SITE : (site + 1) * TAGS_PER_SITE]]
            for size, count in SETS_BY_SIZE.items():
                possible = list(combinations(names, size))
                sets += [possible[n] for n in random.choice(len(possible), count, replace=False)]
        return cls(tuple(tags), tuple(sets))

    def values(self, random: np.random.Generator) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """A value per tag: one in twenty beyond its maximum safe value, a few beyond the warning threshold."""
        depth = np.where(
            random.random(len(self.tags)) < 0.05,
            random.random(len(self.tags)) * 1.5,
            -random.random(len(self.tags)),
        )
        safe = np.array([tag.limits.maximum_safe_value for tag in self.tags])
        threshold = np.array([tag.limits.warning_threshold for tag in self.tags])
        values: np.ndarray[tuple[int], np.dtype[np.float64]] = safe + depth * (threshold - safe)
        return values


def _tag(site: str, number: int, random: np.random.Generator) -> FleetTag:
    safe = float(np.round(random.uniform(10, 50), 3))
    margin = float(np.round(random.uniform(1, 10), 3))
    threshold = safe + margin if number % 2 else safe - margin
    return FleetTag(f"{site}/tag{number:02d}", PARTNERS[number % len(PARTNERS)], Limits(safe, threshold))


def add_fleet(connection: Connection, fleet: Fleet) -> None:
    """Puts the fleet into the catalogue, through the rules everyone's tags and sets go through."""
    for partner in PARTNERS:
        add_partner(connection, partner)
    for tag in fleet.tags:
        add_tag(connection, tag.name, partner=tag.partner, limits=tag.limits)
    with connection.cursor() as cursor:
        cursor.executemany(
            'insert into keti.tag_combination_map ("TAG_SET") values (%s)',
            [(list(tags),) for tags in fleet.sets],
        )


def write_minute(connection: Connection, fleet: Fleet, timestamp: datetime, values: Iterable[float]) -> None:
    """Writes one result of every tag through its partner's relation, as the partner would."""
    rows: dict[str, list[tuple[datetime, str, float]]] = {partner: [] for partner in PARTNERS}
    for tag, value in zip(fleet.tags, values, strict=True):
        rows[tag.partner].append((timestamp, tag.name, float(value)))
    for partner, its_rows in rows.items():
        write_results(connection, partner, its_rows)
