"""Labels say what a battery was at every time the file speaks of, and nothing about the times between."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sos_ops.imports.chunk import Reason
from tests.support.data_sets import LONG, WIDE, bring_in, data_file, labels, laboratory, mapping, refused
from tests.support.database import Database
from tests.support.plant import at

LABEL = {"column": "label", "values": {"0": "normal", "1": "anomalous"}}


@pytest.fixture
def lab(database: Database) -> Database:
    laboratory(database)
    return database


def test_the_label_of_a_wide_row_is_the_sites_and_equal_ones_in_a_row_are_one_span(
    lab: Database, tmp_path: Path
) -> None:
    text = "time,t,v,label\n" + "".join(
        f"2026-03-01 00:{n:02d},35,{'bad' if n == 5 else 3.9},{int(4 <= n < 7)}\n" for n in range(10)
    )
    outcome = bring_in(lab, data_file(tmp_path, text), mapping(WIDE, label=LABEL), chunk_bytes=80)
    assert labels(lab) == [
        ("testbed", at(0), at(3), "0", False, 4),
        ("testbed", at(4), at(6), "1", True, 3),
        ("testbed", at(7), at(9), "0", False, 3),
    ]
    assert (outcome.report.normal, outcome.report.anomalous) == (7, 3)


def test_the_label_of_a_long_row_is_its_tags(lab: Database, tmp_path: Path) -> None:
    text = "time,tag,value,label\n" + "".join(
        f"2026-03-01 00:{n:02d},over_temp,35,{int(n > 5)}\n2026-03-01 00:{n:02d},under_volt,3.9,0\n"
        for n in range(9)
    )
    bring_in(lab, data_file(tmp_path, text), mapping(LONG, label=LABEL), chunk_bytes=100)
    assert labels(lab) == [
        ("over_temp", at(0), at(5), "0", False, 6),
        ("over_temp", at(6), at(8), "1", True, 3),
        ("under_volt", at(0), at(8), "0", False, 9),
    ]


def test_a_whole_file_may_be_anomalous(lab: Database, tmp_path: Path) -> None:
    text = "time,t,v\n2026-03-01 00:01,35,3.9\n2026-03-01 00:02,35,3.9\n"
    bring_in(lab, data_file(tmp_path, text), mapping(WIDE, label={"all": "anomalous"}))
    assert labels(lab) == [("testbed", at(1), at(2), "anomalous", True, 2)]


def test_a_label_nobody_explained_is_refused_and_its_row_taken(lab: Database, tmp_path: Path) -> None:
    text = "time,t,v,label\n2026-03-01 00:01,35,3.9,0\n2026-03-01 00:02,35,3.9,2\n2026-03-01 00:03,35,3.9,\n"
    outcome = bring_in(lab, data_file(tmp_path, text), mapping(WIDE, label=LABEL))
    assert refused(outcome) == {Reason.UNKNOWN_LABEL: (3,)}
    assert outcome.report.stored == 6
    assert labels(lab) == [("testbed", at(1), at(1), "0", False, 1)]


def test_however_rows_are_shuffled_every_row_keeps_its_own_label(lab: Database, tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    said = {n: int(random.random() < 0.3) for n in range(200)}
    # Roughly in order, so that chunks reach into one another.
    order = sorted(said, key=lambda n: n + random.integers(0, 40))
    text = "time,t,v,label\n" + "".join(
        f"2026-03-01 {n // 60:02d}:{n % 60:02d},35,3.9,{said[n]}\n" for n in order
    )
    bring_in(lab, data_file(tmp_path, text), mapping(WIDE, label=LABEL), chunk_bytes=400)
    spans = labels(lab)
    for n, anomalous in said.items():
        over = [(first == last, is_so) for _, first, last, _, is_so, _ in spans if first <= at(n) <= last]
        # A label of one instant counts before those that span it.
        exact = {is_so for instant, is_so in over if instant} or {is_so for _, is_so in over}
        assert exact == {bool(anomalous)}, at(n)
    assert sum(rows for *_, rows in spans) == 200


def test_the_labels_of_a_data_set_imported_again_are_replaced_not_doubled(
    lab: Database, tmp_path: Path
) -> None:
    path = data_file(tmp_path, "time,t,v,label\n2026-03-01 00:01,35,3.9,0\n2026-03-01 00:02,35,3.9,1\n")
    bring_in(lab, path, mapping(WIDE, label={"column": "label", "values": {"0": "normal", "1": "normal"}}))
    bring_in(lab, path, mapping(WIDE, label=LABEL))
    bring_in(lab, path, mapping(WIDE, label=LABEL), again=True)
    assert [row[4] for row in labels(lab)] == [False, True]
