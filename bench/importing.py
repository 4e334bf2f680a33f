"""Importing a data set, beside a bare COPY of the same file.

The file is a long CSV of results of four tags with their labels, one result a line, minute by minute. Beside it the
same bytes go through `COPY ... FROM STDIN (FORMAT csv, HEADER)` into a table of the file's own four columns without any
key, by a client that does nothing but send them: nothing is looked up, judged, labelled or safe to do twice. What COPY
takes into the same table with a key (tag, time) is told too. All three run in turn on one server. The import runs as
the command `sos-ops import` in a process of its own; its memory is the most that process ever held, as the kernel
counts it, with all its children's.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv

from bench.figure import Figure
from bench.temporary_stack import temporary_database
from sos_ops.safety.score import Limits
from sos_ops.store.catalogue import add_partner, add_tag
from sos_ops.store.connection import connect

ROWS = 10_000_000
LEAST_SHARE = 0.5
MOST_MEMORY = 500e6
TAGS = ("over_temp", "under_temp", "over_voltage", "under_voltage")
PARTNER = "usad"
MAPPING = """\
kind: results
partner: usad
time: {column: time, zone: offset}
long: {name: tag, value: value}
label: {column: label, values: {normal: normal, anomalous: anomalous}}
"""

Notice = Callable[[str], None]


@dataclass(frozen=True)
class Measured:
    """Seconds of each way, and the import's largest memory in bytes."""

    bare_s: float
    keyed_s: float
    import_s: float
    memory: int


def measure(notice: Notice, *, rows: int = ROWS, rounds: int | None = None) -> list[Figure]:
    """Measures the two rows of the table: speed and memory.

    Args:
        notice: is told how far it is.
        rows: lines of the file.
        rounds: how often each way is taken, in turn; medians count. Default: three.
    """
    rounds = rounds or 3
    with tempfile.TemporaryDirectory(prefix="sos-bench-") as folder, temporary_database() as url:
        file = Path(folder) / "results.csv"
        notice(f"writing a file of {rows:,} rows")
        write_file(file, rows)
        _furnish(url)
        taken = [_one_round(url, file, rows, notice) for _ in range(rounds)]
    return figures(rows, taken)


def figures(rows: int, taken: list[Measured]) -> list[Figure]:
    """The rows of the table."""
    ours = statistics.median(m.import_s for m in taken)
    bare = statistics.median(m.bare_s for m in taken)
    keyed = statistics.median(m.keyed_s for m in taken)
    memory = max(m.memory for m in taken)
    return [
        Figure(
            f"importing a CSV of {rows:,} results with labels; at most {memory / 1e6:,.0f} MB of memory (goal: 500 MB)",
            ours,
            f"bare COPY of the same file into a table without keys ({keyed:,.1f} s with a key of tag and time)",
            bare,
            ours / bare,
            ">= 50 % of its speed, so <= 2x",
            bare / ours >= LEAST_SHARE and memory < MOST_MEMORY,
        )
    ]


def write_file(path: Path, rows: int) -> None:
    """Writes a data set: four tags a minute, labelled, anomalous one time in seven."""
    random = np.random.default_rng(7)
    start = np.datetime64("2020-01-01T00:00:00")
    with path.open("wb") as file:
        file.write(b"time,tag,value,label\n")
        for begin in range(0, rows, 1_000_000):
            number = np.arange(begin, min(begin + 1_000_000, rows))
            minute = np.datetime_as_string(start + (number // len(TAGS)).astype("m8[m]"))
            table = pa.table(
                {
                    "time": pc.binary_join_element_wise(pa.array(minute.tolist()), "Z", ""),
                    "tag": np.array(TAGS)[number % len(TAGS)],
                    "value": np.round(random.normal(30, 5, len(number)), 3),
                    "label": np.where(number // 4_000 % 7 == 6, "anomalous", "normal"),
                }
            )
            pacsv.write_csv(table, file, pacsv.WriteOptions(include_header=False, quoting_style="none"))


def _furnish(url: str) -> None:
    with connect(url) as connection:
        add_partner(connection, PARTNER)
        for tag in TAGS:
            add_tag(connection, tag, partner=PARTNER, limits=Limits(40.0, 50.0))
        connection.execute("create schema bench")
        columns = "time timestamptz, tag text, value double precision, label text"
        connection.execute(f"create table bench.bare ({columns})".encode())
        connection.execute(f"create table bench.keyed ({columns}, primary key (tag, time))".encode())


def _one_round(url: str, file: Path, rows: int, notice: Notice) -> Measured:
    bare = _bare_copy(url, file, b"bare")
    notice(f"bare COPY: {bare:.1f} s")
    ours, memory = _import(url, file, rows)
    notice(f"import: {ours:.1f} s, {bare / ours:.0%} of the speed, {memory / 1e6:,.0f} MB")
    keyed = _bare_copy(url, file, b"keyed")
    notice(f"COPY into a table with a key: {keyed:.1f} s")
    return Measured(bare, keyed, ours, memory)


def _clean(url: str) -> None:
    with connect(url) as connection:
        connection.execute("truncate bench.bare, bench.keyed, sos_ops.result, sos_ops.import cascade")
    with connect(url) as connection:
        connection.execute("checkpoint")


def _bare_copy(url: str, file: Path, table: bytes) -> float:
    _clean(url)
    statement = b"copy bench." + table + b" from stdin (format csv, header)"
    with connect(url) as connection, file.open("rb") as source:
        began = time.perf_counter()
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            while data := source.read(1 << 20):
                copy.write(data)
        connection.commit()
        return time.perf_counter() - began


def _import(url: str, file: Path, rows: int) -> tuple[float, int]:
    """Seconds and largest memory of `sos-ops import`; its start, before it reads the file, is part of it."""
    _clean(url)
    mapping = file.with_suffix(".yaml")
    mapping.write_text(MAPPING, encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SOS_")}
    environment |= {"SOS_HOME": str(file.parent / "home"), "SOS_DATABASE_URL": url}
    command = [str(Path(sys.executable).with_name("sos-ops")), "import", str(file), "--mapping", str(mapping)]
    began = time.perf_counter()
    with _ended(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)) as child:  # noqa: S603  # our own
        peak = children = 0
        while child.poll() is None:
            peak, children = max(peak, _peak(child.pid)), max(children, _of_children(child.pid))
            time.sleep(0.25)
        seconds = time.perf_counter() - began
        said = child.stdout.read() if child.stdout else ""
    with connect(url) as connection:
        row = connection.execute("select count(*) from sos_ops.result").fetchone()
    if child.returncode != 0 or row != (rows,):
        raise RuntimeError(f"the import ended with {child.returncode} and {row} rows: {said}")
    return seconds, peak + children


@contextmanager
def _ended(child: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    with child:
        try:
            yield child
        finally:
            if child.poll() is None:
                child.kill()


def _peak(pid: int) -> int:
    """The most memory a process has held until now, as the kernel keeps it: nothing between two looks is missed."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0


def _of_children(pid: int) -> int:
    """The memory of what the process has started, by its threads' lists: to look through all processes takes long."""
    total = 0
    for path in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in path.read_text(encoding="ascii").split():
                total += _peak(int(child)) + _of_children(int(child))
    return total
