"""`sos-ops quarantine`: what a person sees and does about set-aside results."""

from __future__ import annotations

import getpass
import json

import pytest

from sos_ops.cli.app import main
from sos_ops.settings import get_settings
from sos_ops.store.checks import change_checks
from tests.support.database import Database
from tests.support.plant import TEMPERATURE, at, furnish, offer, run_live


@pytest.fixture
def plant(database: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    """One result below its plausible range, and the command line on this database."""
    database.set_clock(at(0, 30))
    furnish(database, {"over_temp": TEMPERATURE})
    with database.connect() as connection:
        change_checks(connection, "over_temp", plausible_low=-20.0, plausible_high=90.0)
    database.set_clock(at(1, 2))
    offer(database, "keti", [(at(1), "over_temp", -250.0)])
    run_live(database, at(1, 10))
    monkeypatch.setenv("SOS_DATABASE_URL", database.url)
    get_settings.cache_clear()
    return database


def sos_ops(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["sos-ops", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_list_then_accept_with_who_and_why(
    plant: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sos_ops(monkeypatch, "quarantine", "list", "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["tag"], row["value"]) == ("over_temp", -250.0)
    assert (
        sos_ops(monkeypatch, "quarantine", "list", "--tag", "over_temp", "--since", "2026-03-01T00:00") == 0
    )
    assert "-250 lies outside the plausible range of -20 to 90" in capsys.readouterr().out
    number = str(row["set_aside_id"])
    assert sos_ops(monkeypatch, "quarantine", "accept", number, "--why", "a test of the cold chamber") == 0
    assert "over_temp -250 (u = -29.00) of 2026-03-01 00:01:00 UTC" in capsys.readouterr().out
    assert plant.rows("select decided_by, why from sos_ops.set_aside_decision") == [
        (getpass.getuser(), "a test of the cold chamber")
    ]
    assert sos_ops(monkeypatch, "quarantine", "list") == 0
    assert "nothing is set aside" in capsys.readouterr().out


def test_a_decision_needs_a_reason_and_a_known_number(
    plant: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert sos_ops(monkeypatch, "quarantine", "reject", "1") == 2
    assert sos_ops(monkeypatch, "quarantine", "reject", "4711", "--why", "x") == 1
    assert "nothing is set aside under number 4711" in capsys.readouterr().err
    assert plant.value("select count(*) from sos_ops.set_aside_decision") == 0


def test_a_second_value_past_the_threshold_is_told_by_status_and_its_depth_listed(
    plant: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    second_value(plant, first=30.0, second=80.0)
    assert sos_ops(monkeypatch, "status") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "2 results set aside wait for a person" in said
    assert "1 of them are past the warning threshold, the worst over_temp 80 (u = 4.0)" in said
    assert sos_ops(monkeypatch, "quarantine", "list", "--json") == 0
    assert [(row["value"], row["u"], row["u_stands"]) for row in json.loads(capsys.readouterr().out)] == [
        (-250.0, -29.0, None),
        (80.0, 4.0, -1.0),
    ]


def test_accepting_a_safer_value_in_the_place_of_a_dangerous_one_is_said_and_can_be_undone(
    plant: Database, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    second_value(plant, first=80.0, second=30.0)
    sos_ops(monkeypatch, "quarantine", "list", "--json")
    number = json.loads(capsys.readouterr().out)[-1]["set_aside_id"]
    assert sos_ops(monkeypatch, "quarantine", "accept", str(number), "--why", "a typing error") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "80 (u = 4.00) moved aside" in said
    assert "THE NEW VALUE LOOKS SAFER THAN THE ONE IT REPLACES" in said
    undo = said.split("sos-ops quarantine accept ")[1].split("`")[0]
    assert sos_ops(monkeypatch, "quarantine", "accept", undo, "--why", "it was none") == 0
    assert plant.value("select value from sos_ops.result where state = 'A' order by ts desc limit 1") == 80.0


def second_value(plant: Database, *, first: float, second: float) -> None:
    for value in (first, second):
        offer(plant, "keti", [(at(2), "over_temp", value)])
    plant.set_clock(at(2, 2))
    run_live(plant, at(2, 10))
