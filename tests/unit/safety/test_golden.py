"""The worked timeline comes out of the mathematics alone, bit for bit."""

from __future__ import annotations

from datetime import datetime

import pytest

from sos_ops.safety.timeline import FOREVER
from sos_ops.store.binary_copy import to_micros
from tests.support import golden
from tests.support.worlds import SECOND_US, Version, World


def world_known_by(moment: datetime | None) -> World:
    """The timeline with the results that had arrived by then, or all of them."""
    limits: dict[str, list[Version]] = {}
    for v in golden.limits():
        start = -FOREVER if v.valid_from is None else to_micros(v.valid_from)
        limits.setdefault(v.tag, []).append(Version(start, v.x100, v.xl, v.limit, v.max_age_s * SECOND_US))
    accepted: dict[tuple[str, int], float] = {}
    for result in golden.results():
        if moment is None or result.received_at <= moment:
            accepted.setdefault((result.tag, to_micros(result.timestamp)), result.value)
    return World(limits, accepted, [frozenset(tags) for tags in golden.sets().values()])


@pytest.mark.parametrize("when", ["first", "final"])
def test_the_worked_timeline_comes_out_bit_for_bit(when: str) -> None:
    expected = golden.expected(when)
    found = {}
    for minute in sorted({minute for minute, _ in expected}):
        world = world_known_by(minute + golden.DECIDED_AFTER if when == "first" else None)
        (rows,) = world.rows([to_micros(minute)])
        found.update({(minute, set_id): row for set_id, row in zip(golden.sets(), rows, strict=True)})
    assert found == expected
    assert len(found) == 132
