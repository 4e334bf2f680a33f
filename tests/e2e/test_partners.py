"""A partner is taken on, and its results count only when they were checked, through the real scheduler."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
import pytest

from sos_ops.clock import floor_minute
from sos_ops.store.page import find_or_create_set
from tests.support.stack import RunningStack, wait_for

pytestmark = pytest.mark.timeout(600)

INSERT = 'insert into acme ("TIMESTAMP", "TAG", "VALUE") values (%s, %s, %s) on conflict do nothing'


@dataclass
class Partner:
    """An institution with its own login, which writes both its tags once a platform minute while it is asked to."""

    stack: RunningStack
    url: str
    sets: dict[str, int]
    written: dict[datetime, float] = field(default_factory=dict)

    def writes(self, doubtful: float, until: Callable[[], Any], what: str, seconds: float) -> Any:
        def step() -> Any:
            minute = floor_minute(self.stack.now())
            if minute not in self.written:
                rows = [(minute, "acme_steady", 30.0), (minute, "acme_doubtful", doubtful)]
                with psycopg.connect(self.url) as session:
                    session.cursor().executemany(
                        'insert into acme ("TIMESTAMP", "TAG", "VALUE") values (%s, %s, %s) on conflict do nothing',
                        rows,
                    )
                self.written[minute] = doubtful
            return until()

        return wait_for(step, what, seconds)

    def newest(self, name: str) -> dict[str, Any]:
        return self.stack.newest(self.sets[name]) or {}


@pytest.fixture
def partner(healthy: RunningStack) -> Iterator[Partner]:
    url = healthy.run("partner", "add", "acme").stdout.strip()
    for tag in ("acme_steady", "acme_doubtful"):
        healthy.run("tag", "add", tag, "--partner", "acme", "--x100", "40", "--xl", "50")
    healthy.run("tag", "checks", "acme_doubtful", "--plausible-low", "-20", "--plausible-high", "90")
    with healthy.connect() as connection:
        sets = {
            "both": find_or_create_set(connection, ["acme_steady", "acme_doubtful"]).set_id,
            "steady": find_or_create_set(connection, ["acme_steady"]).set_id,
        }
    yield Partner(healthy, url, sets)
    for tag in ("acme_steady", "acme_doubtful"):  # the scenarios after this one know the demo's tags only
        healthy.run("tag", "retire", tag, "--yes")


def test_a_doubtful_result_counts_only_when_it_points_to_danger_or_a_person_accepts_it(
    partner: Partner,
) -> None:
    stack = partner.stack
    with stack.sped_up(10):
        partner.writes(
            30.0, lambda: partner.newest("both").get("value") == 1.0, "a first SoS of the partner", 90
        )

        # A dead sensor says -250: nothing that proves safety.
        unknown = partner.writes(
            -250.0,
            lambda: (row := partner.newest("both")).get("band") == "U" and row,
            "the set is unknown after three minutes of set-aside results",
            90,
        )
        explained = json.loads(
            stack.run("explain", str(partner.sets["both"]), unknown["minute"].isoformat(), "--json").stdout
        )
        part = next(p for p in explained["parts"] if p["tag"] == "acme_doubtful")
        assert part["missing_reason"] == "set_aside"
        assert partner.newest("steady")["value"] == 1.0

        # 250 cannot be either, but nobody may throw it away.
        partner.writes(
            250.0,
            lambda: partner.newest("both").get("band") == "C",
            "an unlikely value alarms all the same",
            90,
        )
    marks = stack.query(
        "select distinct r.marks from sos_ops.result r join sos_ops.tag t using (tag_id) "
        "where t.tag = 'acme_doubtful' and r.value = 250 and r.state = 'A'"
    )
    assert all("unlikely_towards_danger" in row[0] for row in marks)
    assert marks

    aside = json.loads(stack.run("quarantine", "list", "--tag", "acme_doubtful", "--json").stdout)
    assert {row["value"] for row in aside} == {-250.0}
    assert "plausible" in aside[0]["reason"]
    stack.run("quarantine", "accept", str(aside[-1]["set_aside_id"]), "--why", "cold chamber test")
    left = json.loads(stack.run("quarantine", "list", "--tag", "acme_doubtful", "--json").stdout)
    assert len(left) == len(aside) - 1
    assert "partner acme" in stack.run("status").stdout


def test_what_validation_found_can_be_read_at_data_docs(healthy: RunningStack) -> None:
    healthy.airflow("POST", "/dags/housekeeping/dagRuns", {"logical_date": None})
    folder = healthy.settings.home / "data-docs"
    wait_for(lambda: list(folder.glob("*/*.html")), "housekeeping builds the Data Docs", 120)
    page = _page(healthy, "").split('href="')[1].split('"')[0]
    assert "keti" in _page(healthy, page)


def _page(stack: RunningStack, path: str) -> str:
    address = stack.page_url(f"/data-docs/{path}")
    with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310  # our own server
        text: str = answer.read().decode()
    return text
