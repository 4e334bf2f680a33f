"""WARNING_REQUEST: a partner's wish for another warning threshold, from its row to the limits in force."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from sos_ops.errors import InvalidConfigurationError, SosOpsError, UnknownNameError
from sos_ops.pipeline.warning_requests import RequestReport, judge_requests
from sos_ops.safety.warning_requests import RequestRules, Verdict
from sos_ops.safety.warning_requests import judge as rules_judge
from sos_ops.store.catalogue import change_limits, limits_history, retire_tag
from sos_ops.store.logins import give_login
from sos_ops.store.warning_requests import (
    WarningRequest,
    apply_by_rule,
    approve,
    reject,
    request_rules,
    requests,
    set_request_rules,
    standings,
    take_asked,
    waiting_requests,
)
from tests.support.database import Database
from tests.support.plant import TEMPERATURE, at, furnish

NOW = at(30)
Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def plant(database: Database) -> Database:
    """Partner `keti` with over_temp (x100 40, xL 50) and soh; it is half past midnight."""
    database.set_clock(NOW)
    furnish(database, {"over_temp": TEMPERATURE, "soh": TEMPERATURE})
    return database


@pytest.fixture
def keti(plant: Database) -> Iterator[Connection]:
    """The partner's session."""
    with plant.connect() as connection:
        url = give_login(connection, "keti", plant.url)
    with psycopg.connect(url, autocommit=True) as session:
        yield session


def ask(session: Connection, wish: float | None, moment: datetime = NOW, tag: str = "over_temp") -> None:
    session.execute("insert into keti values (%s, %s, 41, %s)", (moment, tag, wish))


def judge(database: Database) -> RequestReport:
    return judge_requests(database.connect)


def kept(database: Database) -> list[WarningRequest]:
    with database.connect() as connection:
        return requests(connection, everything=True)


def threshold(database: Database, tag: str = "over_temp") -> float:
    value: float = database.value("select warning_threshold from sos_ops.tag_current where tag = %s", tag)
    return value


def allow_tightening(database: Database, **more: Any) -> None:
    with database.connect() as connection:
        set_request_rules(connection, "over_temp", RequestRules(auto_tighten=True, **more))


def test_a_wish_waits_for_a_person_and_changes_nothing_until_then(plant: Database, keti: Connection) -> None:
    ask(keti, 45.0)
    assert judge(plant).tags == {Verdict.PROPOSED: 1}
    (request,) = kept(plant)
    assert (request.tag, request.partner, request.requested, request.row_at) == (
        "over_temp",
        "keti",
        45.0,
        NOW,
    )
    assert (request.state, request.asked, request.version) == ("proposed", 1, 1)
    assert threshold(plant) == 50.0


def test_an_approved_request_is_a_new_version_with_who_when_and_why(
    plant: Database, keti: Connection
) -> None:
    ask(keti, 55.0)
    judge(plant)
    (request,) = kept(plant)
    with plant.connect() as connection:
        assert approve(connection, request.request, by="the safety owner", why="the new cells bear it") == 2
    with plant.connect() as connection:
        first, second = limits_history(connection, "over_temp")
    assert (first.warning_threshold, first.why) == (50.0, "the first limits")
    assert (second.warning_threshold, second.maximum_safe_value) == (55.0, 40.0)
    assert second.changed_by == "the safety owner"
    assert second.why == f"request {request.request} approved: the new cells bear it"
    assert abs(second.changed_at - NOW) < timedelta(seconds=10)
    (after,) = kept(plant)
    assert (after.state, after.decided_by, after.reason) == (
        "approved",
        "the safety owner",
        "the new cells bear it",
    )
    assert after.applied_version == 2


def test_a_rejected_request_changes_nothing_and_is_not_put_to_a_person_again_that_day(
    plant: Database, keti: Connection
) -> None:
    ask(keti, 55.0)
    judge(plant)
    with plant.connect() as connection:
        reject(connection, kept(plant)[0].request, by="the safety owner", why="no")
    for minute in range(31, 34):
        plant.set_clock(at(minute))
        ask(keti, 55.0, at(minute))
        assert judge(plant).tags == {Verdict.REFUSED: 1}
    assert threshold(plant) == 50.0
    refused, rejected = kept(plant)
    assert (refused.state, refused.rule, refused.asked) == ("refused", "rejected before", 3)
    assert rejected.state == "rejected"


def test_tightening_is_applied_by_rule_where_a_person_allowed_it_and_says_so(
    plant: Database, keti: Connection
) -> None:
    allow_tightening(plant)
    ask(keti, 45.0)
    assert judge(plant).tags == {Verdict.APPLIED: 1}
    with plant.connect() as connection:
        _, version = limits_history(connection, "over_temp")
    assert (version.warning_threshold, version.changed_by) == (45.0, "rule: tighten")
    assert version.why == "tightens the threshold from 50 to 45, which is applied by rule for this tag"
    (request,) = kept(plant)
    assert (request.state, request.applied_version, request.decided_by) == ("applied", 2, "rule: tighten")


def test_loosening_waits_for_a_person_where_tightening_is_applied_by_rule(
    plant: Database, keti: Connection
) -> None:
    allow_tightening(plant)
    ask(keti, 55.0)
    assert judge(plant).tags == {Verdict.PROPOSED: 1}
    assert threshold(plant) == 50.0


def test_one_request_is_applied_an_hour_and_the_others_are_refused_with_the_reason(
    plant: Database, keti: Connection
) -> None:
    allow_tightening(plant)
    for minute, wish in ((30, 48.0), (45, 46.0), (89, 45.0), (91, 44.0)):
        plant.set_clock(at(minute))
        ask(keti, wish, at(minute))
        judge(plant)
    assert threshold(plant) == 44.0
    assert [(r.state, r.rule, r.asked) for r in kept(plant)] == [
        ("applied", None, 1),
        ("refused", "too frequent", 2),
        ("applied", None, 1),
    ]


@pytest.mark.parametrize(
    ("wish", "rule"),
    [
        (50.0, "equal"),
        (40.0, "crosses x100"),
        (30.0, "crosses x100"),
        (70.0, "out of bounds"),
        (40.2, "out of bounds"),
    ],
)
def test_a_senseless_wish_is_refused_with_the_reason_and_its_row_counts_all_the_same(
    plant: Database, keti: Connection, wish: float, rule: str
) -> None:
    allow_tightening(plant)
    ask(keti, wish)
    judge(plant)
    (request,) = kept(plant)
    assert (request.state, request.rule) == ("refused", rule)
    assert request.reason
    assert threshold(plant) == 50.0
    assert plant.value("select count(*) from keti.keti") == 1


def test_a_thousand_requests_of_a_minute_are_one_row_counted(plant: Database, keti: Connection) -> None:
    with keti.cursor() as cursor, cursor.copy("copy keti from stdin") as copy:
        for number in range(1000):
            copy.write_row(
                (NOW - timedelta(milliseconds=1000 - number), "over_temp", 41.0, 51.0 + number / 500)
            )
    report = judge(plant)
    assert report.asked == 1000
    (request,) = kept(plant)
    assert (request.asked, request.requested, request.state) == (1000, 51.0 + 999 / 500, "proposed")


def test_a_days_flood_of_changing_wishes_leaves_few_rows(plant: Database, keti: Connection) -> None:
    for minute in range(30, 90):
        plant.set_clock(at(minute))
        ask(keti, (30.0, 45.0, 70.0, 50.0, 46.0)[minute % 5], at(minute))
        judge(plant)
    rows = kept(plant)
    assert sum(row.asked for row in rows) == 60
    assert len([row for row in rows if row.state == "proposed"]) == 1
    assert len(rows) <= 8


def test_another_wish_takes_the_open_ones_place_under_a_new_number(plant: Database, keti: Connection) -> None:
    ask(keti, 45.0)
    judge(plant)
    (first,) = kept(plant)
    plant.set_clock(at(31))
    ask(keti, 60.0, at(31))
    judge(plant)
    (second,) = kept(plant)
    assert (second.requested, second.asked) == (60.0, 2)
    with pytest.raises(UnknownNameError, match="newer wish"), plant.connect() as connection:
        approve(connection, first.request, by="me", why="it reads 45")
    assert threshold(plant) == 50.0


def test_a_row_sent_again_asks_for_nothing_new(plant: Database, keti: Connection) -> None:
    allow_tightening(plant)
    ask(keti, 45.0)
    judge(plant)
    with plant.connect(actor="a person") as connection:
        change_limits(connection, "over_temp", warning_threshold=50.0, why="too many alarms")
    plant.set_clock(at(95))
    for _ in range(3):
        keti.execute("insert into keti values (%s, 'over_temp', 41, 45) on conflict do nothing", (NOW,))
    ask(keti, 44.0, at(29))
    judge(plant)
    assert threshold(plant) == 50.0
    assert [(r.state, r.asked) for r in kept(plant)] == [("applied", 5)]


def test_a_wish_in_a_row_that_is_set_aside_is_a_wish_too(plant: Database, keti: Connection) -> None:
    ask(keti, None)
    keti.execute("insert into keti values (%s, 'over_temp', 42, 45)", (NOW,))
    assert plant.value("select count(*) from sos_ops.result_set_aside") == 1
    assert judge(plant).tags == {Verdict.PROPOSED: 1}


def test_a_wish_in_a_row_an_hour_old_is_refused(plant: Database, keti: Connection) -> None:
    ask(keti, 45.0, NOW - timedelta(minutes=61))
    judge(plant)
    assert kept(plant)[0].rule == "too old"


def test_a_request_for_a_tag_retired_meanwhile_is_refused_and_an_open_one_cannot_be_approved(
    plant: Database, keti: Connection
) -> None:
    ask(keti, 45.0)
    judge(plant)
    (request,) = kept(plant)
    plant.set_clock(at(31))
    ask(keti, 46.0, at(31))
    with plant.connect() as connection:
        retire_tag(connection, "over_temp")
    assert judge(plant).tags == {Verdict.REFUSED: 1}
    with pytest.raises(SosOpsError, match="retired"), plant.connect() as connection:
        approve(connection, request.request, by="me", why="yes")


def test_what_limits_changed_since_made_senseless_cannot_be_approved(
    plant: Database, keti: Connection
) -> None:
    ask(keti, 45.0)
    judge(plant)
    (request,) = kept(plant)
    with plant.connect() as connection:
        change_limits(connection, "over_temp", maximum_safe_value=46.0)
    with pytest.raises(SosOpsError, match="x100 = 46"), plant.connect() as connection:
        approve(connection, request.request, by="me", why="yes")
    with plant.connect() as connection:
        reject(connection, request.request, by="me", why="overtaken")
    with pytest.raises(SosOpsError, match="rejected already, by me"), plant.connect() as connection:
        approve(connection, request.request, by="me", why="yes")


def test_a_request_judged_under_older_limits_cannot_be_approved_and_loosen_them(
    plant: Database, keti: Connection
) -> None:
    ask(keti, 47.0)
    judge(plant)
    (request,) = kept(plant)
    assert request.reason == "tightens the threshold from 50 to 47: a person decides"
    with plant.connect(actor="Kim") as connection:
        change_limits(connection, "over_temp", warning_threshold=44.0, why="too hot")
    with pytest.raises(SosOpsError) as refused, plant.connect() as connection:
        approve(connection, request.request, by="me", why="it tightens")
    then, now = (f"(x100 40, xL {xl}, L 0.8, max age 180 s, max count 2)" for xl in (50, 44))
    assert str(refused.value) == (
        f"request {request.request} was judged by limits version 1 {then}; now version 2 is in force {now}, "
        "set by Kim: too hot. The wish must be made again to be approved; reject this request"
    )
    assert threshold(plant) == 44.0
    assert [(r.state, r.asked) for r in kept(plant)] == [("proposed", 1)]


def test_the_same_wish_made_again_under_new_limits_is_another_request_judged_by_these(
    plant: Database, keti: Connection
) -> None:
    ask(keti, 47.0)
    judge(plant)
    (first,) = kept(plant)
    with plant.connect() as connection:
        change_limits(connection, "over_temp", warning_threshold=44.0)
    plant.set_clock(at(31))
    ask(keti, 47.0, at(31))
    judge(plant)
    (second,) = kept(plant)
    assert second.request != first.request
    assert (second.version, second.reason, second.asked) == (
        2,
        "loosens the threshold from 44 to 47: a person decides",
        2,
    )
    with plant.connect() as connection:
        assert approve(connection, second.request, by="me", why="read and meant") == 3
    assert threshold(plant) == 47.0


def test_a_rule_applies_nothing_that_was_judged_under_older_limits(plant: Database, keti: Connection) -> None:
    allow_tightening(plant)
    ask(keti, 47.0)
    with plant.connect() as connection:
        (asked,) = take_asked(connection)
        found = standings(connection, [asked.tag_id])[asked.tag_id]
        judgement = rules_judge(asked.wish, found.standing, NOW)
    assert judgement.verdict is Verdict.APPLIED
    with plant.connect() as connection:
        change_limits(connection, "over_temp", warning_threshold=44.0)
    with pytest.raises(SosOpsError, match="judged by limits version 1"), plant.connect() as connection:
        apply_by_rule(connection, asked, found, judgement)
    assert threshold(plant) == 44.0


def test_a_request_of_a_retired_tag_is_over_and_waits_for_nobody(plant: Database, keti: Connection) -> None:
    ask(keti, 45.0)
    judge(plant)
    with plant.connect() as connection:
        assert waiting_requests(connection) == 1
        retire_tag(connection, "over_temp")
    with plant.connect() as connection:
        assert waiting_requests(connection) == 0
        assert requests(connection) == []
    (over,) = kept(plant)
    assert (over.state, over.rule, over.reason) == (
        "ended",
        "tag retired",
        "the tag was retired before anybody decided",
    )
    assert over.decided_at == plant.value("select retired_at from sos_ops.tag where tag = 'over_temp'")
    assert keti.execute('select "STATE", "REASON", "DECIDED_AT" from mine.warning_request').fetchall() == [
        ("ended", over.reason, over.decided_at)
    ]
    for decide in (approve, reject):
        with pytest.raises(SosOpsError, match="is ended: the tag is retired"), plant.connect() as connection:
            decide(connection, over.request, by="me", why="too late")


@pytest.mark.parametrize("wish", [math.nan, math.inf, -math.inf])
def test_a_wish_that_is_no_finite_number_is_refused_and_the_result_beside_it_counts(
    plant: Database, keti: Connection, wish: float
) -> None:
    allow_tightening(plant)
    for minute in (29, 30):
        ask(keti, wish, at(minute))
        judge(plant)
    assert plant.rows('select "VALUE", "WARNING_REQUEST" from keti.keti') == [(41.0, None), (41.0, None)]
    (request,) = kept(plant)
    assert (request.state, request.rule, request.asked) == ("refused", "not finite", 2)
    assert request.reason == f"the WARNING_REQUEST {wish} is no finite number"
    assert threshold(plant) == 50.0


def test_tags_are_judged_apart(plant: Database, keti: Connection) -> None:
    allow_tightening(plant)
    ask(keti, 45.0)
    ask(keti, 45.0, tag="soh")
    assert judge(plant).tags == {Verdict.APPLIED: 1, Verdict.PROPOSED: 1}
    assert (threshold(plant), threshold(plant, "soh")) == (45.0, 50.0)


def test_wishes_wait_for_the_next_minute_while_limits_are_held(plant: Database, keti: Connection) -> None:
    allow_tightening(plant)
    ask(keti, 45.0)
    with psycopg.connect(plant.url) as other:
        other.execute("select pg_advisory_xact_lock_shared(7305, 0)")
        assert judge(plant).postponed
    assert threshold(plant) == 50.0
    assert judge(plant).tags == {Verdict.APPLIED: 1}


def test_a_change_applied_by_rule_moves_no_decided_minute(plant: Database, keti: Connection) -> None:
    allow_tightening(plant)
    plant.run("update sos_ops.scoring_progress set newest_decided = %s", at(35))
    ask(keti, 45.0)
    judge(plant)
    assert plant.value("select max(valid_from) > %s from sos_ops.tag_limits", at(35))


def test_nothing_asked_is_said(plant: Database) -> None:
    assert judge(plant).line() == "no warning-change requests"


def test_the_rules_of_a_tag_are_kept_with_their_author(plant: Database) -> None:
    with plant.connect(actor="the safety owner") as connection:
        set_request_rules(connection, "over_temp", RequestRules(nearest=45.0, farthest=52.0))
        assert request_rules(connection, "over_temp")[1] == (45.0, 52.0)
    assert plant.rows("select version, changed_by from sos_ops.warning_request_rule") == [
        (1, "the safety owner")
    ]


@pytest.mark.parametrize(
    ("nearest", "farthest"),
    [(39.0, None), (40.0, None), (None, 30.0), (52.0, 45.0), (float("nan"), None), (70.0, None)],
)
def test_bounds_that_make_no_sense_are_refused(
    plant: Database, nearest: float | None, farthest: float | None
) -> None:
    with pytest.raises(InvalidConfigurationError), plant.connect() as connection:
        set_request_rules(connection, "over_temp", RequestRules(nearest=nearest, farthest=farthest))
    assert plant.value("select count(*) from sos_ops.warning_request_rule") == 0
