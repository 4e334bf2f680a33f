"""The document's own program runs on schema `keti` as it is, and with fresh data its values are ours."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sos_ops.engines.limits import RULES
from sos_ops.safety.score import Limits
from tests.support.database import Database
from tests.support.plant import at, furnish, make_set, offer, run_live, sos_rows

SCRIPT = Path(__file__).resolve().parents[2] / "document" / "customized_sos.py"
FOUR = [rule.name for rule in RULES]


@pytest.fixture
def plant(database: Database) -> Database:
    """The document's four tags and one of another partner: each a set alone, the four together, and a mixed pair."""
    database.set_clock(at(0, 30))
    furnish(database, {rule.name: rule.limits for rule in RULES})
    furnish(database, {"usad": Limits(0.4, 0.7)}, partner="suresoft")
    for tag in FOUR:
        make_set(database, tag)
    make_set(database, *FOUR)
    make_set(database, "usad", "over_temp")
    return database


def run_script(database: Database) -> None:
    """The program as its users run it: where its tables are is told by its environment."""
    url = urlsplit(database.url)
    environment = {
        **os.environ,
        "DB_NAME": url.path.lstrip("/"),
        "HOST": str(url.hostname),
        "PORT": str(url.port),
        "USER_ID": str(url.username),
        "PASSWORD": str(url.password),
        "TAG_MAP": "tag_combination_map",
        "TAG_LIST": "tag_list",
        "SOS": "sos",
        "PGOPTIONS": "-c search_path=keti",
    }
    done = subprocess.run(
        [sys.executable, str(SCRIPT)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def script_values(database: Database, minute: datetime) -> dict[int, tuple[float, Mapping[str, float]]]:
    rows = database.rows(
        'select "SET_ID", "VALUE", "F_VALUE" from sos_ops.sos_from_script where "TIMESTAMP" = %s', minute
    )
    return {set_id: (value, scores) for set_id, value, scores in rows}


DANGEROUS = {"over_temp": 52.0, "under_temp": -1.5, "over_voltage": 4.057, "under_voltage": 3.1, "usad": 0.61}
CALM = {"over_temp": 32.9, "under_temp": 29.2, "over_voltage": 3.975, "under_voltage": 4.038, "usad": 0.4}


def test_its_values_of_fresh_data_are_the_platforms(plant: Database) -> None:
    for number, values in enumerate((CALM, DANGEROUS), start=1):
        minute = at(number)
        plant.set_clock(at(number, 3))
        offer(plant, "keti", [(minute, tag, values[tag]) for tag in FOUR])
        offer(plant, "suresoft", [(minute, "usad", values["usad"])])
        run_live(plant, at(number, 10))
        run_script(plant)
        ours = {set_id: row for (when, set_id), row in sos_rows(plant).items() if when == minute}
        theirs = script_values(plant, minute)
        assert set(theirs) == set(ours) == set(range(1, 7))
        shown = dict(plant.rows('select "SET_ID", "F_VALUE" from keti.sos where "TIMESTAMP" = %s', minute))
        for set_id, (value, scores) in theirs.items():
            assert ours[set_id].value == pytest.approx(value, abs=1e-12, rel=0)
            assert shown[set_id] == pytest.approx(scores, abs=1e-12, rel=0)
    assert ours[5].band == "critical"


def test_it_calls_an_old_value_safe_where_the_platform_does_not(plant: Database) -> None:
    plant.set_clock(at(1, 3))
    offer(plant, "keti", [(at(1), tag, CALM[tag]) for tag in FOUR])
    offer(plant, "suresoft", [(at(1), "usad", 0.1)])
    run_live(plant, at(181, 10))
    run_script(plant)
    assert script_values(plant, at(1))[5][0] == 1.0
    row = sos_rows(plant)[at(181), 5]
    assert (row.value, row.band) == (None, "unknown")
    assert plant.rows('select "VALUE" from keti.sos where "TIMESTAMP" = %s and "SET_ID" = 5', at(181)) == [
        (None,)
    ]
