"""Decoding kept raw registers again: a wrong scale factor is mended, and what was before stays to be seen."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from sos_ops.cli import readings_commands
from sos_ops.engines.limits import RULES
from sos_ops.errors import SosOpsError, UnknownNameError
from sos_ops.pipeline.analyse import analyse_new_readings
from sos_ops.pipeline.decode_again import DecodeReport, decode_again
from sos_ops.pipeline.keep_house import drop_old_raw_registers
from sos_ops.store import raw_registers
from sos_ops.store.devices import add_device, change_device
from sos_ops.store.maps import save_map
from sos_ops.store.polling import store_batch
from sos_ops.store.readings import DevicePoll
from tests.support.batches import batch, poll_of
from tests.support.database import Database
from tests.support.maps import small_map
from tests.support.plant import at, furnish

REGISTERS = (3980, 3900, 460, 212)
WRONG = {
    "max_cell_voltage": 3.98,
    "min_cell_voltage": 3.9,
    "max_cell_temperature": 4.6,
    "min_cell_temperature": 2.12,
}
RIGHT = {**WRONG, "max_cell_temperature": 46.0, "min_cell_temperature": 21.2}


def poll(device_id: int, minute: int) -> DevicePoll:
    """What the wrong map made of the registers, which begin at 5."""
    one = poll_of(device_id, at(minute), WRONG, registers=REGISTERS)
    block = one.result.raw[0]._replace(start=5)
    object.__setattr__(one.result, "raw", (block,))
    return one


@pytest.fixture
def plant(database: Database) -> Database:
    """Two devices read for five minutes around midnight with temperatures a tenth of what they are."""
    database.set_clock(at(-10))
    furnish(database, {rule.name: rule.limits for rule in RULES})
    with database.connect() as connection:
        assert save_map(connection, small_map(scale="0.01")) == 1
        for name in ("rack-1", "rack-2"):
            add_device(
                connection, name=name, site="testbed", host="bms", port=502, unit_id=1, protocol_map="small"
            )
        for minute in range(-2, 3):
            store_batch(connection, batch(at(minute), poll(1, minute), poll(2, minute)))
    database.set_clock(at(5))
    return database


def mend(plant: Database) -> None:
    with plant.connect() as connection:
        save_map(connection, small_map(version=2, scale="0.1"))


def readings(plant: Database, device_id: int = 1) -> list[dict[str, float]]:
    """The values of each minute."""
    return [
        dict(zip(names, values, strict=True))
        for names, values in plant.rows(
            "select array_agg(p.name), array_agg(r.value) from sos_ops.reading as r join sos_ops.point as p "
            "using (point_id) where r.device_id = %s group by r.minute order by r.minute",
            device_id,
        )
    ]


def decode(plant: Database, first: int = -2, until: int = 2, **options: object) -> DecodeReport:
    return decode_again(plant.connect, at(first), at(until), **options)  # type: ignore[arg-type]


def test_a_wrong_scale_factor_is_mended_by_a_new_version_of_the_map(plant: Database) -> None:
    mend(plant)
    report = decode(plant)
    assert readings(plant, 1) == readings(plant, 2) == [RIGHT] * 5
    assert (report.device_minutes, report.changed, report.added, report.minutes) == (10, 20, 0, 5)
    change = report.points["max_cell_temperature"]
    assert (change.changed, change.before, change.after) == (10, "4.6", "46")
    assert change.largest == pytest.approx(41.4)
    assert "max_cell_voltage" not in report.points


def test_what_was_before_is_kept_with_when_and_who(plant: Database) -> None:
    mend(plant)
    decode_again(lambda: plant.connect(actor="mina"), at(-2), at(2))
    kept = plant.rows(
        "select distinct p.name, r.value, r.map_id, r.superseded_by from sos_ops.reading_revision as r "
        "join sos_ops.point as p using (point_id) order by 1"
    )
    assert kept == [("max_cell_temperature", 4.6, 2, "mina"), ("min_cell_temperature", 2.12, 2, "mina")]
    ((when,),) = plant.rows("select max(superseded_at) from sos_ops.reading_revision")
    assert at(5) <= when < at(6)


def test_doing_it_twice_changes_nothing(plant: Database) -> None:
    mend(plant)
    decode(plant)
    before = plant.rows("select * from sos_ops.reading_revision order by minute, device_id, point_id")
    again = decode(plant)
    assert (again.changed, again.added, again.minutes) == (0, 0, 0)
    assert before == plant.rows("select * from sos_ops.reading_revision order by minute, device_id, point_id")


def test_without_a_newer_version_nothing_changes(plant: Database) -> None:
    report = decode(plant)
    assert (report.device_minutes, report.changed, report.points) == (10, 0, {})


def test_a_dry_run_says_the_same_and_writes_nothing(plant: Database) -> None:
    mend(plant)
    dry = decode(plant, dry_run=True)
    assert readings(plant) == [WRONG] * 5
    assert plant.rows("select * from sos_ops.reading_revision") == []
    assert dry.points == decode(plant).points


def test_only_the_minutes_and_the_device_asked_for_are_decoded(plant: Database) -> None:
    mend(plant)
    decode(plant, -1, 0, device="rack-2")
    assert readings(plant, 1) == [WRONG] * 5
    assert readings(plant, 2) == [WRONG, RIGHT, RIGHT, WRONG, WRONG]


def test_however_small_the_portions_are_the_outcome_is_the_same(
    plant: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    mend(plant)
    monkeypatch.setattr(raw_registers, "BLOCKS_AT_ONCE", 2)
    steps: list[tuple[int, int]] = []
    report = decode(plant, progress=lambda done, total: steps.append((done, total)))
    assert readings(plant, 1) == readings(plant, 2) == [RIGHT] * 5
    assert (report.device_minutes, report.changed) == (10, 20)
    assert steps[-1] == (10, 10)
    assert len(steps) > 5


class StruckError(Exception):
    """The process was killed, as far as the database can tell."""


def test_ended_half_way_it_can_be_run_again(plant: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    mend(plant)
    monkeypatch.setattr(raw_registers, "BLOCKS_AT_ONCE", 3)

    def strike(done: int, _total: int) -> None:
        if done >= 4:
            raise StruckError

    with pytest.raises(StruckError):
        decode(plant, progress=strike)
    assert readings(plant) != [RIGHT] * 5
    decode(plant)
    assert readings(plant, 1) == readings(plant, 2) == [RIGHT] * 5
    assert plant.value("select count(*) from sos_ops.reading_revision") == 20


def test_results_that_were_withheld_come_and_those_that_counted_stay(plant: Database) -> None:
    analyse_new_readings(plant.connect)
    before = plant.rows("select tag_id, ts, value from sos_ops.result order by 1, 2")
    assert len(before) == 20
    mend(plant)
    report = decode(plant)
    assert plant.rows("select tag_id, ts, value from sos_ops.result order by 1, 2") == before
    assert (report.results, report.set_aside) == (20, 10)
    assert any("the first to arrive stays" in line for line in report.lines())
    aside = plant.rows("select distinct value from sos_ops.result_set_aside order by 1")
    assert aside == [(21.2,), (46.0,)]


def test_minutes_that_no_engine_has_seen_are_analysed_from_what_is_right(plant: Database) -> None:
    mend(plant)
    report = decode(plant)
    assert (report.results, report.set_aside) == (20, 0)
    assert plant.rows(
        "select distinct value from sos_ops.result join sos_ops.tag using (tag_id) where tag = 'over_temp'"
    ) == [(46.0,)]
    assert analyse_new_readings(plant.connect).minutes == 0


def test_a_point_that_the_old_map_did_not_know_is_added(plant: Database) -> None:
    extra = {"name": "spread", "address": 7, "type": "u32", "word_order": "high_first"}
    points = [point.model_dump(mode="json", exclude_defaults=True) for point in small_map().points[:2]]
    with plant.connect() as connection:
        save_map(connection, small_map(version=2, points=[*points, extra]))
    report = decode(plant)
    assert (report.changed, report.added) == (0, 10)
    assert readings(plant)[0] == {
        "max_cell_voltage": 3.98,
        "min_cell_voltage": 3.9,
        "spread": 460 * 65536 + 212,
    }


def with_point(
    new_name: str, old_name: str = "max_cell_temperature", **fields: object
) -> list[dict[str, object]]:
    """The points of the wrong map, this one changed."""
    points = [p.model_dump(mode="json", exclude_defaults=True) for p in small_map(scale="0.01").points]
    return [{**p, "name": new_name, **fields} if p["name"] == old_name else p for p in points]


def save(plant: Database, points: list[dict[str, object]], **fields: object) -> None:
    with plant.connect() as connection:
        save_map(connection, small_map(**{"version": 2, "points": points, **fields}))  # type: ignore[arg-type]


def revisions(plant: Database) -> list[tuple[object, ...]]:
    return plant.rows(
        "select p.name, r.value, r.quality, r.map_id, count(*) from sos_ops.reading_revision as r "
        "join sos_ops.point as p using (point_id) group by 1, 2, 3, 4 order by 1"
    )


def standing(plant: Database, point: str) -> list[tuple[object, ...]]:
    return plant.rows(
        "select r.value, r.quality, count(*) from sos_ops.reading as r join sos_ops.point as p using (point_id) "
        "where p.name = %s group by 1, 2",
        point,
    )


def test_a_point_moved_to_registers_that_nobody_read_has_no_value_any_more(plant: Database) -> None:
    save(plant, with_point("max_cell_temperature", address=46))
    dry = decode(plant, dry_run=True)
    assert standing(plant, "max_cell_temperature") == [(4.6, "good", 10)]
    report = decode(plant)
    assert dry.points == report.points
    assert standing(plant, "max_cell_temperature") == [(None, "not_decodable", 10)]
    assert revisions(plant) == [("max_cell_temperature", 4.6, "good", 2, 10)]
    assert (report.changed, report.added, report.minutes) == (0, 0, 5)
    line = "max_cell_temperature: cannot be decoded from what was read (10 readings are no values now)"
    assert line in report.lines()
    assert any("10 readings would be no values)" in line for line in dry.lines())
    tags = plant.rows("select distinct tag from sos_ops.result join sos_ops.tag using (tag_id) order by 1")
    assert ("over_temp",) not in tags
    assert ("under_temp",) in tags


def test_readings_of_a_point_that_the_map_no_longer_has_are_removed(plant: Database) -> None:
    save(plant, with_point("max_cell_temp"))
    report = decode(plant)
    assert standing(plant, "max_cell_temperature") == []
    assert standing(plant, "max_cell_temp") == [(4.6, "good", 10)]
    assert revisions(plant) == [("max_cell_temperature", 4.6, "good", 2, 10)]
    assert "max_cell_temperature: no longer in the map (10 readings removed)" in report.lines()


def test_a_point_renamed_to_registers_that_nobody_read_is_not_taken_for_one_the_device_does_not_measure(
    plant: Database,
) -> None:
    with plant.connect() as connection:
        save_map(connection, small_map(version=2, points=with_point("misnamed")))
        save_map(connection, small_map(version=3, points=with_point("over", address=46)))
    report = decode(plant)
    assert standing(plant, "over") == [(None, "not_decodable", 10)]
    assert report.points["over"].not_decodable == report.points["max_cell_temperature"].removed == 10


def test_what_is_superseded_stays_so_however_often_it_is_decoded(plant: Database) -> None:
    save(
        plant,
        [*with_point("max_cell_temperature", address=46)[:3], {"name": "soc", "address": 90, "type": "s16"}],
    )
    first = decode(plant)
    assert {name: (c.not_decodable, c.removed) for name, c in first.points.items()} == {
        "max_cell_temperature": (10, 0),
        "min_cell_temperature": (0, 10),
        "soc": (10, 0),
    }
    before = revisions(plant)
    again = decode(plant)
    assert (again.points, again.minutes) == ({}, 0)
    assert before == revisions(plant)


def test_a_map_none_of_whose_registers_were_read_leaves_no_value_standing(plant: Database) -> None:
    save(plant, [{"name": "max_cell_voltage", "address": 200, "type": "s16"}])
    decode(plant)
    assert plant.rows("select distinct value, quality from sos_ops.reading") == [(None, "not_decodable")]


def test_a_device_moved_to_another_map_is_decoded_with_that_one(plant: Database) -> None:
    with plant.connect() as connection:
        save_map(connection, small_map("other"))
        change_device(connection, "rack-1", protocol_map="other")
    report = decode(plant)
    assert readings(plant, 1) == [RIGHT] * 5
    assert readings(plant, 2) == [WRONG] * 5
    assert report.changed == 10


def test_a_device_that_never_was_and_a_span_the_wrong_way_round_are_refused(plant: Database) -> None:
    with pytest.raises(UnknownNameError, match="rack-9"):
        decode(plant, device="rack-9")
    with pytest.raises(SosOpsError, match="swap them"):
        decode(plant, 2, -2)


def test_the_command_shows_per_point_what_changes(plant: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    mend(plant)
    monkeypatch.setattr(readings_commands, "url", lambda: plant.url)
    span = ["decode", "--from", f"{at(-2):%Y-%m-%dT%H:%M}", "--to", f"{at(2):%Y-%m-%dT%H:%M}"]
    shown = CliRunner().invoke(readings_commands.app, [*span, "--dry-run"])
    assert shown.exit_code == 0, shown.output
    assert "20 readings would be replaced" in shown.output
    assert "max_cell_temperature" in shown.output
    done = CliRunner().invoke(readings_commands.app, [*span, "--json"])
    assert json.loads(done.output)["points"]["max_cell_temperature"]["after"] == "46"
    assert readings(plant) == [RIGHT] * 5


def test_retention_drops_only_whole_days_that_are_old_enough(plant: Database) -> None:
    assert "0 days dropped" in drop_old_raw_registers(plant.connect, 1)
    assert plant.value("select count(*) from sos_ops.raw_block") == 10
    plant.set_clock(at(5) + timedelta(days=1))
    assert "raw registers of 1 days dropped" in drop_old_raw_registers(plant.connect, 1)
    assert plant.rows("select min(minute) from sos_ops.raw_block") == [(at(0),)]
    assert plant.value("select count(*) from sos_ops.reading") == 40
    assert decode(plant).device_minutes == 6
