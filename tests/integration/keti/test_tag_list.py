"""`keti.tag_list`: configuring tags under the document's own names."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sos_ops.store.catalogue import add_partner
from sos_ops.store.page import tag_views
from tests.support.database import Cluster, Database
from tests.support.plant import TEMPERATURE, at, furnish, make_set

INSERT = (
    'insert into keti.tag_list ("TAG", "TABLE_NAME", "ACTION", "WARNNING_THRESHOLD", "MAXIMUM_SAFE_VALUE", '
    '"UPPER_SAFETY_LIMIT", "MAX_COUNT") values (%s, %s, %s, %s, %s, %s, %s)'
)
VERSIONS = (
    "select version, maximum_safe_value, warning_threshold, upper_safety_limit, max_count, action, changed_by "
    "from sos_ops.tag_limits join sos_ops.tag using (tag_id) where tag = %s order by version"
)


@pytest.fixture
def keti(database: Database) -> Database:
    """A platform with the partner `keti` and no tag."""
    with database.connect() as connection:
        add_partner(connection, "keti")
    return database


@pytest.fixture(scope="module")
def refusing(cluster: Cluster) -> Iterator[Database]:
    """A platform with one tag that refuses whatever its tests try, so that they can share it."""
    with cluster.fresh_database() as database:
        furnish(database, {"good": TEMPERATURE})
        yield database


def refused(database: Database, statement: str, *parameters: Any) -> str:
    """The one line a refusal reads, having left the list as it was."""
    before = database.rows('select * from keti.tag_list order by "TAG"')
    with psycopg.connect(database.url) as connection, pytest.raises(psycopg.Error) as refusal:
        connection.execute(statement.encode(), parameters)
    assert database.rows('select * from keti.tag_list order by "TAG"') == before
    message = refusal.value.diag.message_primary
    assert message
    return message


def test_the_relation_has_the_documents_columns_and_types(keti: Database) -> None:
    found = keti.rows(
        "select column_name, data_type from information_schema.columns "
        "where table_schema = 'keti' and table_name = 'tag_list' order by ordinal_position"
    )
    assert found == [
        ("TAG", "text"),
        ("TABLE_NAME", "text"),
        ("ACTION", "text"),
        ("WARNNING_THRESHOLD", "double precision"),
        ("MAXIMUM_SAFE_VALUE", "double precision"),
        ("UPPER_SAFETY_LIMIT", "double precision"),
        ("MAX_COUNT", "integer"),
    ]


def test_an_inserted_tag_is_in_use_with_the_documents_defaults(keti: Database) -> None:
    keti.run(
        'insert into keti.tag_list ("TAG", "TABLE_NAME", "WARNNING_THRESHOLD", "MAXIMUM_SAFE_VALUE") '
        "values ('over_temp', 'keti', 50, 40)"
    )
    assert keti.rows("select * from keti.tag_list") == [("over_temp", "keti", None, 50.0, 40.0, 0.8, 2)]
    with keti.connect() as connection:
        (view,) = tag_views(connection)
    assert (view.tag, view.partner, view.site, view.max_age_s) == ("over_temp", "keti", "testbed", 180)


def test_a_tag_named_with_a_site_belongs_to_that_site(keti: Database) -> None:
    keti.run(INSERT, "busan/over_temp", "keti", None, 50, 40, 0.9, 3)
    with keti.connect() as connection:
        (view,) = tag_views(connection)
    assert (view.site, view.upper_safety_limit, view.max_count) == ("busan", 0.9, 3)


def test_the_default_site_has_no_second_spelling(keti: Database) -> None:
    assert "testbed" in refused(keti, INSERT, "testbed/over_temp", "keti", None, 50, 40, 0.8, 2)


def test_an_update_takes_effect_as_a_new_version_with_its_author(keti: Database) -> None:
    keti.run(INSERT, "over_temp", "keti", None, 50, 40, 0.8, 2)
    with keti.connect(actor="an engineer") as connection:
        connection.execute(
            """update keti.tag_list set "WARNNING_THRESHOLD" = 48, "ACTION" = 'stop' where "TAG" = 'over_temp'"""
        )
    assert keti.rows("select * from keti.tag_list") == [("over_temp", "keti", "stop", 48.0, 40.0, 0.8, 2)]
    versions = keti.rows(VERSIONS, "over_temp")
    assert [row[:6] for row in versions] == [(1, 40.0, 50.0, 0.8, 2, None), (2, 40.0, 48.0, 0.8, 2, "stop")]
    assert versions[1][6] == "an engineer"


def test_the_first_version_holds_from_the_beginning_of_time(keti: Database) -> None:
    keti.run(INSERT, "over_temp", "keti", None, 50, 40, 0.8, 2)
    assert keti.value("select valid_from = '-infinity' from sos_ops.tag_limits")


def test_an_update_that_changes_nothing_makes_no_version(keti: Database) -> None:
    keti.run(INSERT, "over_temp", "keti", None, 50, 40, 0.8, 2)
    keti.run('update keti.tag_list set "WARNNING_THRESHOLD" = 50')
    assert len(keti.rows(VERSIONS, "over_temp")) == 1


BAD_LIMITS = [
    (40, 40, 0.8, 2),
    (math.nan, 40, 0.8, 2),
    (50, math.nan, 0.8, 2),
    (math.inf, 40, 0.8, 2),
    (50, -math.inf, 0.8, 2),
    (1e308, -1e308, 0.8, 2),
    (None, 40, 0.8, 2),
    (50, None, 0.8, 2),
    (50, 40, 0.0, 2),
    (50, 40, 1.0, 2),
    (50, 40, -0.2, 2),
    (50, 40, math.nan, 2),
    (50, 40, None, 2),  # on insert it stands for the default
    (50, 40, 0.8, 0),
]


@pytest.mark.parametrize(("xl", "x100", "limit", "max_count"), BAD_LIMITS)
def test_bad_limits_are_refused_on_insert_and_on_update(
    refusing: Database, xl: float, x100: float, limit: float, max_count: int
) -> None:
    if limit is not None:
        refused(refusing, INSERT, "bad", "keti", None, xl, x100, limit, max_count)
    update = (
        'update keti.tag_list set "WARNNING_THRESHOLD" = %s, "MAXIMUM_SAFE_VALUE" = %s, '
        '"UPPER_SAFETY_LIMIT" = %s, "MAX_COUNT" = %s'
    )
    refused(refusing, update, xl, x100, limit, max_count)
    assert len(refusing.rows(VERSIONS, "good")) == 1


BAD_NAMES = [
    "o'; drop table sos_ops.tag; --",
    "a'b",
    'a"b',
    "a;b",
    "a b",
    "a\tb",
    "a\nb",
    "a`b",
    "a\\b",
    "a%sb",
    "a{b}",
    "a$b$",
    "",
    "/a",
    "a/",
    "a/b/c",
    "a'/b",
    "x" * 65,
    None,
]


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_tag_name_that_could_break_a_script_is_refused_and_harmless(
    refusing: Database, name: str | None
) -> None:
    refused(refusing, INSERT, name, "keti", None, 50, 40, 0.8, 2)
    assert refusing.value("select count(*) from sos_ops.tag") == 1


def test_an_ordinary_tag_name_is_welcome(keti: Database) -> None:
    names = ["SoH-1.5", "over_temp", "x" * 64, "부산/온도:1", "온도"]
    for name in names:
        keti.run(INSERT, name, "keti", None, 50, 40, 0.8, 2)
    assert sorted(row[0] for row in keti.rows("select * from keti.tag_list")) == names


@pytest.mark.parametrize(
    "table", ["nobody", "keti; drop table sos_ops.tag", 'ke"ti', "tag_list", "sos", None]
)
def test_a_table_that_is_no_partners_is_refused_and_harmless(refusing: Database, table: str | None) -> None:
    refused(refusing, INSERT, "over_temp", table, None, 50, 40, 0.8, 2)


def test_a_tag_exists_once(keti: Database) -> None:
    keti.run(INSERT, "over_temp", "keti", None, 50, 40, 0.8, 2)
    refused(keti, INSERT, "over_temp", "keti", None, 60, 40, 0.8, 2)


def test_the_name_and_the_partner_of_a_tag_cannot_be_changed(keti: Database) -> None:
    keti.run(INSERT, "over_temp", "keti", None, 50, 40, 0.8, 2)
    assert "delete it" in refused(keti, """update keti.tag_list set "TAG" = 'other'""")
    assert "delete it" in refused(keti, """update keti.tag_list set "TABLE_NAME" = 'suresoft'""")


def test_deleting_a_tag_retires_it_and_its_sets_and_keeps_the_others(keti: Database) -> None:
    for tag in ("over_temp", "under_temp", "soh"):
        keti.run(INSERT, tag, "keti", None, 50, 40, 0.8, 2)
    make_set(keti, "over_temp", "under_temp")
    make_set(keti, "over_temp")
    left = make_set(keti, "soh", "under_temp")
    keti.run("""delete from keti.tag_list where "TAG" = 'over_temp'""")
    assert {row[0] for row in keti.rows('select "TAG" from keti.tag_list')} == {"under_temp", "soh"}
    assert keti.rows('select "SET_ID" from keti.tag_combination_map') == [(left,)]
    assert keti.value("select count(*) from sos_ops.tag where retired_at is not null") == 1
    assert keti.value("select count(*) from sos_ops.tag_set where retired_at is not null") == 2


def test_a_retired_tags_name_may_be_used_anew_with_a_history_of_its_own(database: Database) -> None:
    database.set_clock(at(0))
    furnish(database, {"over_temp": TEMPERATURE})
    database.run("delete from keti.tag_list")
    database.run(INSERT, "over_temp", "keti", None, 60, 45, 0.8, 2)
    assert database.rows("select * from keti.tag_list") == [("over_temp", "keti", None, 60.0, 45.0, 0.8, 2)]
    assert database.value("select count(*) from sos_ops.tag") == 2
