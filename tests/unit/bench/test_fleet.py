from __future__ import annotations

import numpy as np

from bench.fleet import PARTNERS, SETS_PER_SITE, TAGS_PER_SITE, Fleet
from sos_ops.safety.score import depth


def test_every_site_has_its_tags_and_as_many_different_sets_of_one_to_four_of_them() -> None:
    fleet = Fleet.of(3)
    assert len({tag.name for tag in fleet.tags}) == 3 * TAGS_PER_SITE
    assert {tag.partner for tag in fleet.tags} == set(PARTNERS)
    assert len({frozenset(tags) for tags in fleet.sets}) == 3 * SETS_PER_SITE
    assert {len(set(tags)) for tags in fleet.sets} == {1, 2, 3, 4}
    for number, tags in enumerate(fleet.sets):
        assert {tag.partition("/")[0] for tag in tags} == {f"site{number // SETS_PER_SITE:04d}"}


def test_a_fleet_is_the_same_for_the_same_seed() -> None:
    assert Fleet.of(2) == Fleet.of(2)
    assert Fleet.of(2) != Fleet.of(2, seed=1)


def test_values_are_mostly_safe_and_sometimes_beyond_the_limits() -> None:
    fleet = Fleet.of(50)
    u = depth(
        fleet.values(np.random.default_rng(1)),
        [tag.limits.maximum_safe_value for tag in fleet.tags],
        [tag.limits.warning_threshold for tag in fleet.tags],
    )
    assert 0.02 < (u > 0).mean() < 0.08
    assert (u > 1).any()
