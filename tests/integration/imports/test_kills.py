"""An import that is killed anywhere and started again ends as one that was not."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from tests.support.data_sets import LONG, bring_in, data_file, everything, laboratory, mapping, mapping_file
from tests.support.database import Cluster, Database

DYING = """
import os, signal, sys
from pathlib import Path
import psycopg
from sos_ops.imports.mapping import load_mapping
from sos_ops.pipeline.import_file import import_file
from sos_ops.store.connection import connect

url, path, mapping, folder, left = sys.argv[1], *map(Path, sys.argv[2:5]), int(sys.argv[5])

def dying(original):
    def call(self, *args, **kwargs):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return original(self, *args, **kwargs)
    return call

psycopg.Connection.execute = dying(psycopg.Connection.execute)
psycopg.Connection.commit = dying(psycopg.Connection.commit)
psycopg.Cursor.copy = dying(psycopg.Cursor.copy)
psycopg.Copy.write = dying(psycopg.Copy.write)
import_file(lambda: connect(url), path, load_mapping(mapping), folder=folder, chunk_bytes=600)
print(1_000_000 - left)
"""
LABEL = {"column": "label", "values": {"0": "normal", "1": "anomalous"}}


def text() -> str:
    """Hours of two tags with labels; now and then a bad number, a second value, a row of the past."""
    lines = ["time,tag,value,label"]
    for n in range(240):
        time = f"2026-02-2{n // 120} {n // 60 % 2:02d}:{n % 60:02d}"
        lines.append(f"{time},over_temp,{'bad' if n % 50 == 7 else n},{int(n // 30 % 3 == 1)}")
        lines.append(f"{time},under_volt,{n / 100},0")
        if n % 40 == 11:
            lines.append(f"2026-02-20 00:{n % 7:02d},over_temp,{n + 0.5},1")
    return "\n".join(lines) + "\n"


def die(
    database: Database, path: Path, its_mapping: Path, folder: Path, calls: int
) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-c",
        DYING,
        database.url,
        str(path),
        str(its_mapping),
        str(folder),
        str(calls),
    ]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("form", ["csv", "csv.gz", "parquet"])
def test_killed_at_any_point_and_started_again_it_ends_the_same(
    cluster: Cluster, database: Database, tmp_path: Path, form: str
) -> None:
    laboratory(database)
    its_mapping = mapping_file(tmp_path, LONG, label=LABEL, data_set="february")
    path = data_file(tmp_path, text())
    if form == "csv.gz":
        import gzip

        path = data_file(tmp_path, gzip.compress(text().encode()), "data.csv.gz")
    elif form == "parquet":
        as_text = pacsv.ConvertOptions(
            column_types={name: pa.string() for name in ("time", "value", "label")}
        )
        pq.write_table(
            pacsv.read_csv(path, convert_options=as_text), tmp_path / "data.parquet", row_group_size=50
        )
        path = tmp_path / "data.parquet"
    with cluster.fresh_database(like=database) as undisturbed:
        whole = die(undisturbed, path, its_mapping, tmp_path / "whole", 1_000_000)
        assert whole.returncode == 0, whole.stderr
        calls, expected = int(whole.stdout), everything(undisturbed)
    (told,) = (tmp_path / "whole").glob("*.csv")
    assert len(expected[0]) == 475
    assert len(expected[2]) == 6
    struck = [calls * k // 8 for k in range(1, 8)] + [5, calls - 1, calls]
    for point in struck if form == "csv" else struck[2:6]:
        with cluster.fresh_database(like=database) as struck_database:
            folder = tmp_path / f"struck-{point}"
            died = die(struck_database, path, its_mapping, folder, point)
            assert died.returncode == -signal.SIGKILL
            # Once more, elsewhere, before it is let through.
            assert die(struck_database, path, its_mapping, folder, max(10, calls // 3)).returncode in (-9, 0)
            last = die(struck_database, path, its_mapping, folder, 1_000_000)
            assert last.returncode == 0, last.stderr
            assert everything(struck_database) == expected, f"struck at call {point} of {calls}"
            (its_told,) = folder.glob("*.csv")
            assert its_told.read_text() == told.read_text()


def test_a_file_that_changed_since_it_was_interrupted_is_another_file(
    database: Database, tmp_path: Path
) -> None:
    laboratory(database)
    its_mapping = mapping_file(tmp_path, LONG, label=LABEL, data_set="february")
    path = data_file(tmp_path, text())
    assert die(database, path, its_mapping, tmp_path / "imports", 300).returncode == -signal.SIGKILL
    path.write_text(text().replace("over_temp,0,", "over_temp,9,"))
    outcome = bring_in(database, path, mapping(LONG, label=LABEL, data_set="february"))
    assert outcome.import_id == 2
    assert outcome.report.set_aside > 0


def test_two_imports_of_one_file_do_not_run_at_once(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    laboratory(database)
    path = data_file(tmp_path, text())
    its_mapping = mapping_file(tmp_path, LONG, label=LABEL)
    assert die(database, path, its_mapping, tmp_path / "imports", 300).returncode == -signal.SIGKILL
    with database.connect() as other:
        other.execute("select pg_advisory_lock(7312, 4 * 1)")
        other.commit()
        with pytest.raises(Exception, match="another process is importing this file"):
            bring_in(database, path, mapping(LONG, label=LABEL))
