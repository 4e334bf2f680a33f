"""`keti.tag_combination_map`: combining tags into sets."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from sos_ops.store.page import find_set, sets
from tests.support.database import Cluster, Database
from tests.support.plant import TEMPERATURE, furnish, make_set

TAGS = ["over_temp", "under_temp", "soh", "Usad", "온도"]
INSERT = 'insert into keti.tag_combination_map ("TAG_SET") values (%s) returning "SET_ID"'


@pytest.fixture
def plant(database: Database) -> Database:
    """Five tags of the default site and one of another."""
    furnish(database, dict.fromkeys([*TAGS, "busan/over_temp"], TEMPERATURE))
    return database


@pytest.fixture(scope="module")
def refusing(cluster: Cluster) -> Iterator[Database]:
    """The same, of tests that only try what is refused, so that they can share it."""
    with cluster.fresh_database() as database:
        furnish(database, dict.fromkeys([*TAGS, "busan/over_temp"], TEMPERATURE))
        yield database


def combine(database: Database, tags: Sequence[str | None]) -> int:
    with psycopg.connect(database.url) as connection:
        row = connection.execute(INSERT, (list(tags),)).fetchone()
    assert row is not None
    return int(row[0])


def combinations(database: Database) -> dict[int, list[str]]:
    return dict(database.rows("select * from keti.tag_combination_map"))


def test_the_relation_has_the_documents_columns_and_types(plant: Database) -> None:
    set_id = combine(plant, ["soh"])
    assert plant.rows(
        'select "SET_ID", pg_typeof("SET_ID")::text, "TAG_SET", pg_typeof("TAG_SET")::text '
        "from keti.tag_combination_map"
    ) == [(set_id, "integer", ["soh"], "text[]")]


def test_a_known_combination_in_any_order_adds_nothing_and_returns_its_set_id(plant: Database) -> None:
    set_id = combine(plant, TAGS[:4])
    for order in itertools.permutations(TAGS[:4]):
        assert combine(plant, order) == set_id
    assert combinations(plant) == {set_id: sorted(TAGS[:4], key=lambda tag: tag.encode())}


def test_the_writers_own_set_id_is_not_taken(plant: Database) -> None:
    plant.run("""insert into keti.tag_combination_map values (4711, '{soh}')""")
    assert 4711 not in combinations(plant)


def test_another_combination_is_another_set(plant: Database) -> None:
    assert len({combine(plant, tags) for tags in itertools.combinations(TAGS, 2)}) == 10


def test_writers_at_the_same_moment_get_the_same_set(plant: Database) -> None:
    orders = list(itertools.permutations(TAGS[:3])) * 2
    barrier = threading.Barrier(len(orders))

    def write(tags: Sequence[str]) -> int:
        with psycopg.connect(plant.url) as connection:
            barrier.wait(timeout=30)
            row = connection.execute(INSERT, (list(tags),)).fetchone()
        assert row is not None
        return int(row[0])

    with ThreadPoolExecutor(len(orders)) as pool:
        found = set(pool.map(write, orders))
    assert len(found) == 1
    assert set(combinations(plant)) == found


REFUSED: list[tuple[Sequence[str | None], str]] = [
    (TAGS, "at most 4"),
    (["nothing_known"], "unknown or retired"),
    (["soh", "'; drop table sos_ops.tag; --"], "unknown or retired"),
    (["soh", "soh"], "twice"),
    (["soh", None], "NULL"),
    ([], "at least one"),
    (["over_temp", "busan/over_temp"], "different sites"),
]


@pytest.mark.parametrize(("tags", "why"), REFUSED)
def test_a_bad_combination_is_refused_with_the_reason(
    refusing: Database, tags: Sequence[str | None], why: str
) -> None:
    with pytest.raises(psycopg.IntegrityError, match=why):
        combine(refusing, tags)
    assert combinations(refusing) == {}


def test_a_retired_tag_is_refused(plant: Database) -> None:
    plant.run("""delete from keti.tag_list where "TAG" = 'soh'""")
    with pytest.raises(psycopg.IntegrityError, match="retired"):
        combine(plant, ["soh", "over_temp"])


def test_a_set_made_while_its_tag_is_being_retired_does_not_outlive_it(plant: Database) -> None:
    with ThreadPoolExecutor(1) as pool, psycopg.connect(plant.url) as writer:
        writer.execute(INSERT, (["soh"],))
        retiring = pool.submit(plant.run, """delete from keti.tag_list where "TAG" = 'soh'""")
        writer.commit()
        retiring.result(timeout=30)
    assert combinations(plant) == {}


def test_deleting_a_row_retires_the_set_which_is_shown_no_more(plant: Database) -> None:
    gone, left = combine(plant, ["soh"]), combine(plant, ["over_temp"])
    plant.run('delete from keti.tag_combination_map where "SET_ID" = %s', gone)
    assert set(combinations(plant)) == {left}
    with plant.connect() as connection:
        assert [view.set_id for view, _ in sets(connection)] == [left]
        assert find_set(connection, ["soh"]) is None
    assert plant.value("select retired_at is not null from sos_ops.tag_set where set_id = %s", gone)


def test_a_retired_combination_made_again_is_a_new_set(plant: Database) -> None:
    gone = combine(plant, ["soh"])
    plant.run('delete from keti.tag_combination_map where "SET_ID" = %s', gone)
    assert combine(plant, ["soh"]) != gone


def test_the_tags_of_a_set_cannot_be_changed(plant: Database) -> None:
    make_set(plant, "soh")
    with psycopg.connect(plant.url) as connection, pytest.raises(psycopg.errors.FeatureNotSupported):
        connection.execute("""update keti.tag_combination_map set "TAG_SET" = '{over_temp}'""")
    assert list(combinations(plant).values()) == [["soh"]]
