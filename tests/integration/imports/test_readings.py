"""Readings from files: one a point and minute, in minutes that nobody polled."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sos_ops.engines.limits import LimitEngine
from sos_ops.imports.chunk import Reason
from sos_ops.imports.report import NotKept
from sos_ops.pipeline.history import fill
from sos_ops.pipeline.import_file import preview
from sos_ops.store.catalogue import add_partner, add_tag
from sos_ops.store.devices import add_device
from tests.support.data_sets import TAGS, bring_in, data_file, everything, labels, mapping, refused
from tests.support.database import Database
from tests.support.plant import at

DEVICE = {
    "kind": "readings",
    "device": "rack1",
    "time": {"column": "time", "zone": "UTC"},
    "columns": {"t": "max_cell_temperature", "v": {"point": "min_cell_voltage", "scale": 0.001}},
    "data_set": "march",
}
TEXT = "time,t,v\n2026-03-01 00:01:05,35.5,3900\n2026-03-01 00:02:05,46,3800\n"


@pytest.fixture
def lab(database: Database) -> Database:
    database.set_clock(at(720))
    with database.connect() as connection:
        add_device(
            connection,
            name="rack1",
            site="testbed",
            host="127.0.0.1",
            port=1,
            unit_id=1,
            protocol_map="keti_bank",
        )
    return database


def readings(database: Database) -> list[tuple[Any, ...]]:
    return database.rows(
        "select r.minute, p.name, r.read_at, r.value, r.suspect_value, r.quality from sos_ops.reading as r "
        "join sos_ops.point as p using (point_id) order by r.minute, p.name"
    )


def test_readings_keep_their_times_and_their_minutes_are_polled_completely(
    lab: Database, tmp_path: Path
) -> None:
    bring_in(lab, data_file(tmp_path, TEXT), mapping(DEVICE))
    assert readings(lab) == [
        (at(1), "max_cell_temperature", at(1, 5), 35.5, None, "good"),
        (at(1), "min_cell_voltage", at(1, 5), 3.9, None, "good"),
        (at(2), "max_cell_temperature", at(2, 5), 46.0, None, "good"),
        (at(2), "min_cell_voltage", at(2, 5), 3.8, None, "good"),
    ]
    assert lab.rows(
        "select minute, last_minute, began_at, ended_at, outcome, reason from sos_ops.poll order by 1"
    ) == [
        (at(1), at(1), at(1, 5), at(1, 5), "complete", "imported: march"),
        (at(2), at(2), at(2, 5), at(2, 5), "complete", "imported: march"),
    ]


def test_a_long_file_point_after_point_fills_the_same_minutes(lab: Database, tmp_path: Path) -> None:
    text = (
        "time,point,value\n"
        + "".join(f"2026-03-01 00:{n:02d}:05,max_cell_temperature,{n}\n" for n in range(30))
        + "".join(f"2026-03-01 00:{n:02d}:06,min_cell_voltage,3.{n}\n" for n in range(30))
    )
    its_mapping = {**DEVICE, "long": {"name": "point", "value": "value"}}
    del its_mapping["columns"]
    outcome = bring_in(lab, data_file(tmp_path, text), mapping(its_mapping), chunk_bytes=300)
    assert (outcome.report.stored, outcome.report.refused) == (60, ())
    assert lab.rows("select distinct ended_at - began_at from sos_ops.poll") == [(timedelta(seconds=1),)]


def test_of_several_rows_in_a_minute_the_first_is_kept_and_the_others_counted(
    lab: Database, tmp_path: Path
) -> None:
    text = "time,t,v\n" + "".join(
        f"2026-03-01 00:{n // 6:02d}:{n % 6 * 10:02d},{n},3900\n" for n in range(60)
    )
    outcome = bring_in(lab, data_file(tmp_path, text), mapping(DEVICE), chunk_bytes=200)
    assert (outcome.report.stored, outcome.report.not_kept, outcome.report.refused) == (20, 100, ())
    assert [row[3] for row in readings(lab)][::2] == [float(n) for n in range(0, 60, 6)]


def test_the_smallest_and_largest_of_the_readings_that_are_not_kept_are_told_point_by_point(
    lab: Database, tmp_path: Path
) -> None:
    text = (
        "time,t,v\n2026-03-01 00:01:05,35.5,3900\n2026-03-01 00:01:15,130,3100\n2026-03-01 00:01:25,-60,3950\n"
        "2026-03-01 00:02:05,36,3900\n2026-03-01 00:02:15,41,\n2026-03-01 00:03:05,36,3900\n"
    )
    outcome = bring_in(lab, data_file(tmp_path, text), mapping(DEVICE), chunk_bytes=60)
    assert outcome.report.not_kept_points == (
        NotKept("max_cell_temperature", 3, -60.0, 130.0),
        NotKept("min_cell_voltage", 2, 3.1, 3.95),
    )
    assert (outcome.report.not_kept, outcome.report.refused) == (5, ())
    assert list(outcome.report.text())[1:4] == [
        "5 readings not kept: their minute has an earlier one, and one is kept. Of them",
        "  max_cell_temperature: 3, the smallest -60, the largest 130",
        "  min_cell_voltage: 2, the smallest 3.1, the largest 3.95",
    ]
    again = bring_in(lab, data_file(tmp_path, text, "copy.csv"), mapping(DEVICE))
    assert (again.before, again.report) == (True, outcome.report)
    assert lab.value("select count(*) from sos_ops.import_refused") == 0


def test_readings_not_kept_are_told_once_also_by_an_import_that_was_interrupted(
    lab: Database, tmp_path: Path
) -> None:
    text = "time,t,v\n" + "".join(
        f"2026-03-01 00:{n // 6:02d}:{n % 6 * 10:02d},{n},3900\n" for n in range(60)
    )
    path = data_file(tmp_path, text)

    def interrupted(_position: int, _size: int, lines: int) -> None:
        if lines > 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bring_in(lab, path, mapping(DEVICE), chunk_bytes=200, progress=interrupted)
    assert lab.value("select sum(not_kept) from sos_ops.import_chunk") > 0
    outcome = bring_in(lab, path, mapping(DEVICE), chunk_bytes=200)
    assert lab.value("select count(*) from sos_ops.import") == 1
    assert outcome.report.not_kept_points == (
        NotKept("max_cell_temperature", 50, 1.0, 59.0),
        NotKept("min_cell_voltage", 50, 3.9, 3.9),
    )


def test_what_is_not_kept_is_no_line_of_the_file_of_refused_rows(lab: Database, tmp_path: Path) -> None:
    text = "time,t,v\n2026-03-01 00:01:05,35.5,3900\n2026-03-01 00:01:15,130,bad\n"
    outcome = bring_in(lab, data_file(tmp_path, text), mapping(DEVICE))
    assert refused(outcome) == {Reason.NO_NUMBER: (3,)}
    assert outcome.report.not_kept_points == (NotKept("max_cell_temperature", 1, 130.0, 130.0),)
    assert outcome.report.refused_file is not None
    assert len(Path(outcome.report.refused_file).read_text().splitlines()) == 2


def test_a_rehearsal_of_many_chunks_tells_what_the_import_then_does(lab: Database, tmp_path: Path) -> None:
    text = "time,t,v\n" + "".join(
        f"2026-03-01 {n // 3600:02d}:{n // 60 % 60:02d}:{n % 60:02d},{n % 100},3900,{'x' * 100}\n"
        for n in range(20_000)
    )
    text = text.replace("time,t,v\n", "time,t,v,remark\n")
    path = data_file(tmp_path, text)
    shown = preview(lab.connect, path, mapping(DEVICE), rows=30_000).report
    assert shown == bring_in(lab, path, mapping(DEVICE)).report
    assert (shown.lines, shown.not_kept, shown.known, shown.looked_at) == (20_000, 39_332, 0, None)


def test_a_minute_that_was_polled_or_is_known_not_to_have_been_takes_nothing(
    lab: Database, tmp_path: Path
) -> None:
    lab.run(
        "insert into sos_ops.poll (minute, device_id, last_minute, outcome, reason) "
        "values (%s, 1, %s, 'failed', 'asleep')",
        at(2), at(5),
    )  # fmt: skip
    stands = lab.rows("select * from sos_ops.poll")
    outcome = bring_in(lab, data_file(tmp_path, TEXT), mapping(DEVICE))
    assert refused(outcome) == {Reason.POLLED_MINUTE: (3, 3)}
    assert {row[0] for row in readings(lab)} == {at(1)}
    assert lab.rows("select * from sos_ops.poll where minute <> %s", at(1)) == stands


def test_another_value_of_a_time_that_stands_is_refused_and_an_equal_one_is_nothing_new(
    lab: Database, tmp_path: Path
) -> None:
    bring_in(lab, data_file(tmp_path, TEXT), mapping(DEVICE))
    stands = everything(lab)[3:5]
    outcome = bring_in(lab, data_file(tmp_path, TEXT.replace("46", "47"), "other.csv"), mapping(DEVICE))
    assert refused(outcome) == {Reason.OTHER_READING: (3,)}
    assert (outcome.report.stored, outcome.report.known) == (0, 3)
    assert everything(lab)[3:5] == stands


def test_an_unlikely_value_counts_when_it_points_to_danger_and_is_kept_aside_when_to_safety(
    lab: Database, tmp_path: Path
) -> None:
    text = "time,t,v\n2026-03-01 00:01:05,130,3900\n2026-03-01 00:02:05,-60,3900\n"
    bring_in(lab, data_file(tmp_path, text), mapping(DEVICE))
    assert [row[3:] for row in readings(lab) if row[1] == "max_cell_temperature"] == [
        (130.0, None, "implausible_dangerous"),
        (None, -60.0, "implausible_safe"),
    ]


def test_the_labels_of_readings_are_the_devices(lab: Database, tmp_path: Path) -> None:
    bring_in(lab, data_file(tmp_path, TEXT), mapping(DEVICE, label={"all": "anomalous"}))
    assert labels(lab) == [("rack1", at(1, 5), at(2, 5), "anomalous", True, 2)]


def test_a_backfill_runs_the_engines_over_imported_readings(lab: Database, tmp_path: Path) -> None:
    with lab.connect() as connection:
        add_partner(connection, LimitEngine.partner)
        add_tag(connection, "over_temp", partner=LimitEngine.partner, limits=TAGS["over_temp"])
    bring_in(lab, data_file(tmp_path, TEXT), mapping(DEVICE))
    fill(lab.connect, at(0).date(), backfill=True)
    assert lab.rows("select ts, value from sos_ops.result order by 1") == [(at(1), 35.5), (at(2), 46.0)]


def test_history_before_a_device_was_added_makes_no_gap_of_all_the_time_since(
    lab: Database, tmp_path: Path
) -> None:
    bring_in(lab, data_file(tmp_path, TEXT.replace("2026-03", "2020-03")), mapping(DEVICE))
    from sos_ops.store.readings import close_unpolled_minutes

    with lab.connect() as connection:
        close_unpolled_minutes(connection, at(725), "no run polled this minute")
    assert lab.rows("select minute, last_minute from sos_ops.poll where outcome = 'failed'") == [
        (at(721), at(724))
    ]
