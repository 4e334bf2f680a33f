"""How the command line speaks: one console, one-line errors, times a person can read."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, is_dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import typer
from rich.console import Console

console = Console(
    width=None if sys.stdout.isatty() else 160, highlight=False, soft_wrap=not sys.stdout.isatty()
)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def age(seconds: float | None) -> str:
    """An age as a person says it."""
    if seconds is None:
        return "-"
    return f"{seconds:.0f} s" if abs(seconds) < 600 else str(timedelta(seconds=round(seconds)))


def visible(text: str) -> str:
    """A text that moves no terminal and hides nothing: what cannot be printed is shown as such."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def parse_minute(text: str) -> datetime:
    """A minute from the command line: ISO 8601, in UTC unless it says otherwise.

    Raises:
        typer.BadParameter: it is no time, or not on the minute.
    """
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is no time: write it as 2026-03-01T00:14 (UTC) or 2026-03-01T09:14+09:00"
        ) from error
    if moment.tzinfo is None or moment.year < 2:
        moment = moment.replace(tzinfo=UTC)
    elif moment.year < 9999:
        moment = moment.astimezone(UTC)
    if not 1970 <= moment.year < 2200:
        raise typer.BadParameter(f"{text!r} is no minute of this platform: it knows the years 1970 to 2199")
    if moment.second or moment.microsecond:
        raise typer.BadParameter(f"{text!r} is not on the minute: SoS is defined on minute marks")
    return moment


def print_json(value: Any) -> None:
    """Prints dataclasses, lists and dicts as JSON, times as ISO 8601."""
    plain = asdict(value) if is_dataclass(value) and not isinstance(value, type) else value
    sys.stdout.write(json.dumps(plain, default=_encode, indent=2, ensure_ascii=False) + "\n")


def _encode(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
