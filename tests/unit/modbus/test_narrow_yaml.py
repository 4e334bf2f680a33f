"""YAML read the narrow way: nothing that a person types is taken for something else, or for too much."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.narrow_yaml import MOST_BYTES, parse_yaml, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("99", 99),
        ("-1", -1),
        ("+7", 7),
        ("0", 0),
        ("0x8000", 0x8000),
        ("0.1", 0.1),
        ("1e-3", 0.001),
        ("-2.5E+2", -250.0),
        (".5", 0.5),
        ("true", True),
        ("false", False),
        ("~", None),
        ("null", None),
        # What YAML 1.1 takes for eight, ninety, true, false, ten, a date.
        ("010", "010"),
        ("1:30", "1:30"),
        ("on", "on"),
        ("no", "no"),
        ("1_0", "1_0"),
        ("0b1010", "0b1010"),
        ("0o17", "0o17"),
        ("2026-11-23", "2026-11-23"),
        ("=", "="),
        ("9" * 41, "9" * 41),
    ],
)
def test_a_word_is_a_number_only_where_everybody_reads_the_same_one(text: str, value: object) -> None:
    read = parse_yaml(f"- {text}\n")[0]
    assert (type(read), read) == (type(value), value)


def test_anchors_and_merged_keys_spare_writing_and_may_be_overridden() -> None:
    text = "- &volt {unit: V, scale: 0.1}\n- {<<: *volt, scale: 0.01}\n- *volt\n"
    assert parse_yaml(text)[1:] == [{"unit": "V", "scale": 0.01}, {"unit": "V", "scale": 0.1}]


LAUGHS = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 30)
)
MERGED_LAUGHS = "a0: &a0 {x: 1}\n" + "".join(
    f"a{level}: &a{level} {{<<: [{', '.join([f'*a{level - 1}'] * 9)}]}}\n" for level in range(1, 30)
)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (LAUGHS, "line 6, column 5: more than 500000 values with its aliases written out"),
        (MERGED_LAUGHS, "more than 500000 values with its aliases written out"),
        ("a: &a [*a]", "line 1, column 4: an alias refers to what it stands in"),
        ("&a {<<: *a}", "an alias refers to what it stands in"),
        ("[" * 200_000, "nested too deeply"),
        ("[" * 60 + "]" * 60, "nested too deeply"),
        ("{a: " * 5_000, "nested too deeply"),
        ("a: 1\nb: 2\na: 3\n", "line 1, column 1: 'a' is given twice"),
        ("- {a: 1, a: 1}", "'a' is given twice"),
        ("{<<: {a: 1}, <<: {b: 2}}", "'<<' is given twice"),
        ("{[1]: 2}", "a key must be a word"),
        ("? {a: b}\n: c", "a key must be a word"),
        ("!!python/object/apply:os.system ['true']", "has no meaning here"),
        ("!!set {a, b}", "has no meaning here"),
        ("!!int abc", "'abc' is no int"),
        ("!!timestamp x", "'x' is no timestamp"),
        ("!!binary ====", "'====' is no binary"),
        ("!foo bar", "'bar' is no !foo"),
        ("*a", "undefined alias"),
        ("a: b: c", "line 1, column 5: mapping values are not allowed here"),
        ("\t- a", "cannot start any token"),
        ("a: 1\n---\na: 1\n", "another document"),
        ("name: [unclosed", "line 1, column 16: expected"),
        ('"\\ud800"', "half a character"),
        ("a: \x07", "special characters are not allowed"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(InvalidConfigurationError) as raised:
        parse_yaml(text)
    message = str(raised.value)
    assert message.startswith("is not valid YAML: ")
    assert reason in message
    assert message.isprintable()
    assert len(message) < 400


def test_a_file_that_is_not_there_not_text_a_folder_or_too_large_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigurationError, match="cannot be read: No such file"):
        read_yaml(tmp_path / "none.yaml")
    with pytest.raises(InvalidConfigurationError, match="cannot be read: Is a directory"):
        read_yaml(tmp_path)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidConfigurationError, match="is not UTF-8 text"):
        read_yaml(tmp_path / "binary.yaml")
    (tmp_path / "large.yaml").write_bytes(b"a" * (MOST_BYTES + 1))
    with pytest.raises(InvalidConfigurationError, match="is larger than 500 kB"):
        read_yaml(tmp_path / "large.yaml")


YAMLISH = st.text(st.sampled_from(list("ab:-?,[]{}&*!|>'\"%@`#<~=.0123456789x_ \n\t\\")), max_size=60)


def refusal_of(text: str) -> str:
    try:
        parse_yaml(text)
    except InvalidConfigurationError as error:
        return str(error)
    return ""


@settings(deadline=None)
@given(YAMLISH | st.text(max_size=40))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    assert refusal_of(text).isprintable()
