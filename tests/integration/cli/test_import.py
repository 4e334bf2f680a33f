"""`sos-ops import`: what it prints, and that every wrong input is one line that says what to do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.data_sets import WIDE, data_file, laboratory, mapping_file, results
from tests.support.database import Database

SOS_OPS = Path(sys.executable).with_name("sos-ops")
TEXT = "time,t,v,label\n2026-03-01 00:01,35.5,3.9,0\n2026-03-01 00:02,46,bad,1\n"
LABEL = {"column": "label", "values": {"0": "normal", "1": "anomalous"}}


@pytest.fixture
def lab(database: Database) -> Database:
    laboratory(database)
    return database


def run(folder: Path, database: Database, *arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SOS_")}
    environment |= {"SOS_HOME": str(folder / "sos"), "SOS_DATABASE_URL": database.url}
    command = [str(SOS_OPS), "import", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def test_it_tells_what_was_stored_what_was_refused_and_what_to_do_next(lab: Database, tmp_path: Path) -> None:
    done = run(
        tmp_path, lab, data_file(tmp_path, TEXT), "--mapping", mapping_file(tmp_path, WIDE, label=LABEL)
    )
    assert done.returncode == 1
    assert done.stderr == ""
    said = done.stdout.splitlines()
    assert said[0] == "2 lines read: 3 results stored, 0 stood already"
    assert "labels: 1 normal and 1 anomalous rows, 2 spans of time" in said
    assert "1 refused: no number (line 3, as 'bad')" in said
    assert "`sos-ops backfill --from 2026-03-01 --to 2026-03-01` validates and scores them" in said
    (told,) = (tmp_path / "sos" / "imports").glob("*.refused.csv")
    assert f"every refused row: {told}" in said
    assert told.read_text() == "line,column,reason,content\n3,v,no number,bad\n"
    again = run(tmp_path, lab, tmp_path / "data.csv", "--mapping", tmp_path / "mapping.yaml")
    assert again.returncode == 1
    assert again.stdout.startswith("import 1 had all of this file already: nothing was done")


def test_a_file_without_a_mistake_ends_with_0(lab: Database, tmp_path: Path) -> None:
    path = data_file(tmp_path, TEXT.replace("bad", "3.8"))
    done = run(tmp_path, lab, path, "--mapping", mapping_file(tmp_path, WIDE, label=LABEL), "--json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert (report["stored"], report["refused"], report["before"]) == (4, [], False)


def test_a_dry_run_tells_what_would_happen_and_stores_nothing(lab: Database, tmp_path: Path) -> None:
    path = data_file(tmp_path, TEXT + "never,1,2,0\n")
    arguments = [path, "--mapping", mapping_file(tmp_path, WIDE, label=LABEL), "--dry-run"]
    done = run(tmp_path, lab, *arguments, "--rows", 2)
    assert done.returncode == 1
    assert "nothing was stored" in done.stdout
    assert "2026-03-01 00:01:00 UTC (09:01:00 KST)" in done.stdout
    assert "2 lines read: 3 results stored" in done.stdout
    assert "1 refused: no number (line 3, as 'bad')" in done.stdout
    assert results(lab) == []
    assert lab.value("select count(*) from sos_ops.import") == 0


def write(folder: Path, text: str) -> Path:
    path = folder / "mapping.yaml"
    path.write_text(text, encoding="utf-8")
    return path


GOOD = "kind: results\npartner: suresoft\ntime: {column: time, zone: UTC}\ncolumns: {t: over_temp}\n"


@pytest.mark.parametrize(
    ("its_mapping", "says"),
    [
        ("", "is no mapping file"),
        ("kind: [", "is not valid YAML"),
        (GOOD + "kind: results\n", "'kind' is given twice"),
        (GOOD.replace("results", "alarms"), "kind: Input should be 'results' or 'readings'"),
        (GOOD.replace("partner: suresoft\n", ""), "results belong to a partner: name it"),
        (GOOD + "device: rack1\n", "leave `device` out"),
        (GOOD + "colour: red\n", "colour: is no field of a mapping file"),
        (GOOD.replace(", zone: UTC", ""), "say the time `zone`"),
        (GOOD.replace("UTC", "Asia/Soul"), "no time zone 'Asia/Soul'"),
        (GOOD.replace("UTC", "+10:00"), "put it in quotes"),
        (GOOD.replace("zone: UTC", "zone: UTC, format: DD.MM.YYYY"), "is no pattern of a date and time"),
        (GOOD.replace("zone: UTC", "zone: UTC, format: unix_m"), "use unix_s, unix_ms or unix_us"),
        (GOOD.replace("column: time, ", ""), "name either `column` or `columns`"),
        (GOOD.replace("{t: over_temp}", "{t: over_temp, u: over_temp}"), "filled by two columns"),
        (
            GOOD.replace("{t: over_temp}", "{t: {tag: over_temp, scale: 0}}"),
            "scale 0 makes every value the same",
        ),
        (GOOD.replace("{t: over_temp}", "{t: {tag: over_temp, scale: .nan}}"), "columns.t.scale"),
        (GOOD.replace("{t: over_temp}", "{}"), "names no column"),
        (GOOD.replace("{t: over_temp}", "{t: soh}"), "'soh', which is no tag of partner suresoft"),
        (
            GOOD.replace("{t: over_temp}", "{temp: over_temp}"),
            "no column 'temp'; it has 'time', 't', 'v', 'label'",
        ),
        (GOOD + "long: {name: tag, value: value}\n", "say either `columns`"),
        (GOOD + "label: {column: label}\n", "`column` and `values` go together"),
        (GOOD + "label: {column: label, values: {yes: anomalous}}\n", "put it in quotes"),
        (GOOD + "label: {column: label, values: {1: bad}}\n", "'normal' or 'anomalous'"),
        (GOOD + "file: {encoding: klingon}\n", "encoding 'klingon' is not read"),
        (GOOD + "file: {delimiter: ';;'}\n", "file.delimiter"),
        (GOOD + "file: {decimal: ','}\n", "the same character"),
    ],
)
def test_a_wrong_mapping_is_refused_in_one_line(
    lab: Database, tmp_path: Path, its_mapping: str, says: str
) -> None:
    done = run(tmp_path, lab, data_file(tmp_path, TEXT), "--mapping", write(tmp_path, its_mapping))
    assert done.returncode == 1
    assert says in done.stderr
    assert done.stderr.startswith("sos-ops: ")
    assert len(done.stderr.splitlines()) == 1


def test_a_mapping_or_file_that_is_not_there_is_named(lab: Database, tmp_path: Path) -> None:
    done = run(tmp_path, lab, data_file(tmp_path, TEXT), "--mapping", tmp_path / "none.yaml")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "none.yaml: cannot be read: No such file" in done.stderr
    done = run(tmp_path, lab, tmp_path / "none.csv", "--mapping", write(tmp_path, GOOD))
    assert "there is no such file" in done.stderr
    done = run(tmp_path, lab, tmp_path, "--mapping", write(tmp_path, GOOD))
    assert "there is no such file" in done.stderr
