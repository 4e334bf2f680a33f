"""One line about what is wrong with a protocol map: where, what, and how much more."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

_LISTS = {
    "points": "point",
    "groups": "group",
    "writable_points": "writable point",
    "denied": "denied range",
    "unreadable": "unreadable range",
}
_PLAIN_WORDS = {
    "missing": "is missing",
    "tuple_type": "must be a list",
    "model_type": "must be fields, like {name: soc, address: 0}",
    "model_attributes_type": "must be fields, like {name: soc, address: 0}",
    "dict_type": "must be fields, like {name: 0}",
    "int_type": "must be a whole number, decimal or 0x hexadecimal",
    "string_type": "must be text",
    "bool_type": "must be true or false",
}
"""Where pydantic speaks of Python."""
_LONGEST = 300


def one_line(text: str) -> str:
    """The text on one line, without what cannot be printed, cut where it would fill a screen."""
    line = "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in re.sub(r"\s+", " ", text).strip()
    )
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def first_of(problems: Sequence[str]) -> str:
    """The first problem, and how many more there are."""
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return problems[0] + more


def one_line_of(
    error: ValidationError, document: Any, fields: Mapping[str, Collection[str]] | None = None
) -> str:
    """`group NAME: point NAME: field: reason`, as far as the first error is about those; and how many more.

    Args:
        error: What pydantic found.
        document: What it looked at, for the names; None where there is none.
        fields: The fields of the items of each list, and of the map itself under "", to suggest one for a
            misspelt one.
    """
    details = error.errors(include_url=False, include_context=False)
    # A misspelt field is also a missing one: that it is misspelt helps more.
    details.sort(key=lambda detail: detail["type"] != "extra_forbidden")
    return first_of([one_line(_reason(details[0], document, fields or {}))] + [""] * (len(details) - 1))


def _reason(detail: ErrorDetails, document: Any, fields: Mapping[str, Collection[str]]) -> str:
    words: list[str] = []
    level = ""
    where = list(detail["loc"])
    while len(where) >= 2 and where[0] in _LISTS and isinstance(where[1], int):
        level = str(where[0])
        document = _item(_item(document, level), where[1])
        words.append(f"{_LISTS[level]} {_label(document, where[1])}")
        where = where[2:]
    field = ".".join(str(part) for part in where if part != "[key]")
    if field:
        words.append(field)
    if detail["type"] == "extra_forbidden":
        words.append(_unknown(str(where[-1]), fields.get(level, ())))
    else:
        words.append(_PLAIN_WORDS.get(detail["type"], detail["msg"].removeprefix("Value error, ")))
    return ": ".join(words)


def _unknown(field: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(field, known, n=1)
    return "is no field here" + (f": did you mean {near[0]}?" if near else "")


def _item(document: Any, key: str | int) -> Any:
    try:
        return document[key]
    except (KeyError, IndexError, TypeError):
        return None


def _label(item: Any, index: int) -> str:
    name = _item(item, "name")
    return str(name)[:100] if name is not None else f"number {index + 1}"
