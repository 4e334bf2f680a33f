"""The languages say the same things."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

import dash_app
from dash_app.text import BROWSER_KEYS, ENGLISH, LANGUAGES

SOURCES = [path for path in Path(dash_app.__file__).parent.rglob("*.py") if path.name != "text.py"]


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_string_is_missing_or_left_over(language):
    assert set(LANGUAGES[language]) == set(ENGLISH)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_string_has_the_same_blanks(language):
    assert {key: fields(text) for key, text in LANGUAGES[language].items()} == {
        key: fields(text) for key, text in ENGLISH.items()
    }


def test_every_string_is_used():
    code = "".join(path.read_text() for path in SOURCES)
    assert [
        key for key in ENGLISH if key not in BROWSER_KEYS and not re.search(rf"""['"]{key}['"]""", code)
    ] == []


def test_the_browser_gets_every_string_it_asks_for():
    script = (Path(dash_app.__file__).parent / "assets" / "sos.js").read_text()
    assert set(re.findall(r"words\.(\w+)", script)) <= set(BROWSER_KEYS)
