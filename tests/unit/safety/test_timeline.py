"""Which result counts for a minute, and what a span of minutes comes to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sos_ops.safety.as_of import newest_within
from sos_ops.safety.timeline import FOREVER, MINUTE_US
from tests.support.worlds import (
    SECOND_US,
    SPAN_MINUTES,
    START,
    Row,
    Version,
    World,
    minute_marks,
    worlds,
)

SPAN = [START + n * MINUTE_US for n in range(SPAN_MINUTES + 1)]


@given(worlds())
def test_every_row_is_what_the_words_say_bit_for_bit(world: World) -> None:
    assert world.rows(SPAN) == [world.rows_by_hand(minute) for minute in SPAN]


@given(worlds(), minute_marks)
def test_a_minute_alone_equals_the_same_minute_inside_a_span_bit_for_bit(world: World, minute: int) -> None:
    at = SPAN.index(minute)
    tags_alone, sets_alone = world.scored([minute])
    tags_inside, sets_inside = world.scored(SPAN)
    for name in ("known", "value", "result_ts", "score", "missing"):
        assert getattr(tags_alone, name)[0].tobytes() == getattr(tags_inside, name)[at].tobytes(), name
    for name in ("upper", "known", "complete", "limiting"):
        alone, inside = getattr(sets_alone.combined, name), getattr(sets_inside.combined, name)
        assert alone[0].tobytes() == inside[at].tobytes(), name
    assert sets_alone.band[0].tobytes() == sets_inside.band[at].tobytes()


@given(worlds(), minute_marks, st.data())
def test_a_row_outside_the_window_of_a_minute_changes_nothing(
    world: World, minute: int, data: st.DataObject
) -> None:
    tag = data.draw(st.sampled_from(world.tags))
    oldest = max(version.max_age for version in world.limits[tag])
    before = st.integers(minute - 2 * oldest, minute - oldest)
    after = st.integers(minute + 1, minute + 600 * SECOND_US)
    ts = data.draw((before | after).filter(lambda ts: (tag, ts) not in world.results))
    more = world.with_result(tag, ts, data.draw(st.floats(-1e6, 1e6)))

    def without_reasons(rows: list[Row]) -> list[Row]:
        """An old row may turn `none` into `stale`, nothing else."""
        return [row._replace(missing=row.missing.replace(":none", ":stale")) for row in rows]

    (now,), (then,) = world.rows([minute]), more.rows([minute])
    if ts > minute:
        assert then == now
    else:
        assert without_reasons(then) == without_reasons(now)


@given(worlds(), minute_marks)
def test_tags_and_sets_that_a_set_does_not_hold_never_touch_its_bits(world: World, minute: int) -> None:
    for number, tags in enumerate(world.sets):
        alone = replace(
            world,
            limits={tag: world.limits[tag] for tag in tags},
            results={key: value for key, value in world.results.items() if key[0] in tags},
            sets=[tags],
        )
        assert alone.rows([minute])[0][0] == world.rows([minute])[0][number]


def test_a_result_counts_until_its_age_reaches_max_age_exactly() -> None:
    world = World({"t": [Version(-FOREVER, 40, 50)]}, {("t", START): 45.0}, [frozenset("t")])
    just_fresh, at_the_end = START + 180 * SECOND_US - 1, START + 180 * SECOND_US
    ((fresh,),), ((stale,),) = world.rows([just_fresh]), world.rows([at_the_end])
    assert (fresh.known, fresh.missing) == (1, "")
    assert (stale.value, stale.known, stale.missing, stale.band) == (None, 0, "t:stale", "unknown")


def test_a_result_counts_for_the_minute_of_its_own_timestamp_and_not_before() -> None:
    world = World({"t": [Version(-FOREVER, 40, 50)]}, {("t", START): 45.0}, [frozenset("t")])
    ((before,),), ((at,),) = world.rows([START - 1]), world.rows([START])
    assert (before.missing, at.known) == ("t:none", 1)


def test_a_value_three_hours_old_is_stale_and_unknown_never_safe() -> None:
    world = World({"t": [Version(-FOREVER, 40, 50)]}, {("t", START): 20.0}, [frozenset("t")])
    ((row,),) = world.rows([START + 180 * MINUTE_US])
    assert row == Row(None, 1.0, 0, 1, "t:stale", "unknown", "")


def test_a_version_of_limits_holds_from_the_very_minute_it_is_valid_from() -> None:
    change = START + MINUTE_US
    versions = [Version(-FOREVER, 40, 50), Version(change, 40, 45)]
    world = World({"t": versions}, {("t", START): 45.0}, [frozenset("t")])
    assert [rows[0].value for rows in world.rows([START, change])] == [1 / (1 + (1 / 0.8 - 1) * 0.25), 0.8]


def test_danger_that_is_proven_by_the_known_tags_is_told_of_an_incomplete_set() -> None:
    limits = {tag: [Version(-FOREVER, 40, 50)] for tag in "ab"}
    world = World(limits, {("a", START): 53.0}, [frozenset("ab")])
    ((row,),) = world.rows([START])
    assert (row.value, row.band, row.limiting_tag, row.missing) == (None, "warning", "a", "b:none")


def test_without_any_result_every_set_is_unknown() -> None:
    world = World({"t": [Version(-FOREVER, 40, 50)]}, {}, [frozenset("t")])
    ((row,),) = world.rows([START])
    assert row == Row(None, 1.0, 0, 1, "t:none", "unknown", "")


def test_nothing_asked_for_is_nothing_found() -> None:
    none = np.empty(0, dtype=np.int64)
    assert newest_within(none, none, 3, np.array([START]), np.full((1, 3), MINUTE_US)).tolist() == [[-1] * 3]
    assert newest_within(none, none, 0, np.array([START]), np.empty((1, 0), dtype=np.int64)).shape == (1, 0)
