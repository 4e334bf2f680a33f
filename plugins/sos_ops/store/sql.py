"""The SQL files of `include/sql/`, by name."""

from __future__ import annotations

from functools import cache
from typing import LiteralString

from sos_ops.settings import SQL_DIR


@cache
def load(name: str) -> LiteralString:
    """The text of `include/sql/<name>.sql`.

    It is typed as literal because it is part of the program, as a string in the source would be; what varies
    reaches it as a parameter.
    """
    return (SQL_DIR / f"{name}.sql").read_text(encoding="utf-8")
