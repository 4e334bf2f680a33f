"""What docs/importing-data.md shows works as it stands there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from sos_ops.imports.mapping import ImportMapping, load_mapping
from sos_ops.safety.score import Limits
from sos_ops.settings import CHECKOUT
from tests.support.data_sets import bring_in, data_file, labels, results
from tests.support.database import Database
from tests.support.plant import at, furnish, make_set

PAGE = (CHECKOUT / "docs" / "importing-data.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def lab(database: Database) -> Database:
    database.set_clock(at(720))
    limits = {"over_temp": Limits(40.0, 50.0), "under_voltage": Limits(3.3, 3.15)}
    furnish(database, limits, partner="suresoft")
    make_set(database, *limits)
    return database


def test_the_commands_of_the_page_do_what_it_says(lab: Database, tmp_path: Path) -> None:
    data_file(tmp_path, blocks("csv")[0], "march.csv")
    data_file(tmp_path, blocks("yaml")[0], "march.yaml")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SOS_")}
    environment |= {"SOS_HOME": str(tmp_path / "sos"), "SOS_DATABASE_URL": lab.url}
    commands = re.findall(r"^    \.venv/bin/(sos-ops .*)$", PAGE, re.MULTILINE)
    assert [command.split()[1] for command in commands] == ["import", "import", "backfill"]
    for command in commands:
        arguments = [str(Path(sys.executable).with_name("sos-ops")), *shlex.split(command)[1:]]
        done = subprocess.run(
            arguments, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert [row[:3] for row in results(lab)] == [
        ("over_temp", at(1), 35.5),
        ("over_temp", at(2), 54.0),
        ("under_voltage", at(1), 3.9),
        ("under_voltage", at(2), 3.89),
    ]
    assert {row[3] for row in results(lab)} == {"A"}
    assert lab.value("select value from sos_ops.sos where minute = %s", at(2)) < 0.8
    assert [row[1:] for row in lab.rows(blocks("sql")[0])] == [(at(2), "1")]


def test_the_long_file_of_the_page_is_read_by_its_mapping(lab: Database, tmp_path: Path) -> None:
    its_mapping = load_mapping(data_file(tmp_path, blocks("yaml")[1], "long.yaml"))
    outcome = bring_in(lab, data_file(tmp_path, blocks("csv")[1]), its_mapping)
    assert (outcome.report.stored, outcome.report.refused) == (2, ())
    assert len(labels(lab)) == 2


def test_the_texts_that_mean_no_value_are_those_the_page_lists() -> None:
    told = re.search(r"^\| `missing` \|.*\| `(\[.*\])` \|$", PAGE, re.MULTILINE)
    assert told is not None
    assert tuple(yaml.safe_load(told[1])) == ImportMapping.model_fields["missing"].default


def test_every_mapping_of_the_page_can_be_read(tmp_path: Path) -> None:
    assert [load_mapping(data_file(tmp_path, text, "m.yaml")).kind.value for text in blocks("yaml")] == [
        "results",
        "results",
        "readings",
    ]
