"""Mappings that say two things of one tag are refused when they are read."""

from __future__ import annotations

from pathlib import Path

import pytest

from sos_ops.errors import InvalidConfigurationError
from sos_ops.imports.mapping import load_mapping

LONG = """
kind: results
partner: suresoft
time: {column: at, zone: UTC}
long: {name: what, value: value, names: {%s}}
"""


def written(folder: Path, names: str) -> Path:
    path = folder / "mapping.yaml"
    path.write_text(LONG % names, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    "names", ["T1: over_temp, T2: over_temp", "T1: over_temp, U: soh, T2: {tag: over_temp, scale: 0.1}"]
)
def test_two_names_of_a_long_file_may_not_fill_one_tag(tmp_path: Path, names: str) -> None:
    with pytest.raises(InvalidConfigurationError) as refusal:
        load_mapping(written(tmp_path, names))
    assert str(refusal.value).endswith("long: 'over_temp' is filled by two names, 'T1' and 'T2': name one")


def test_names_that_fill_a_tag_each_may_be_any(tmp_path: Path) -> None:
    mapping = load_mapping(written(tmp_path, "over_temp: soh, soh: over_temp, T1: usad"))
    assert mapping.long is not None
    assert len(mapping.long.names) == 3
