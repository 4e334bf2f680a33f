"""Batteries in memory, for the page's tests: a settable clock and the document's four limit tags."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import sin

from dash_app.data.memory import MemoryStore, MemoryTag
from sos_ops.clock import MINUTE, floor_minute

START = datetime(2026, 1, 1, 1, 4, 12, tzinfo=UTC)
"""2026-01-01 10:04:12 KST, the moment the scenarios show."""

LIMITS = [
    MemoryTag("over_temp", 40, 50, "°C"),
    MemoryTag("under_temp", 10, 0, "°C"),
    MemoryTag("over_voltage", 4, 4.086, "V"),
    MemoryTag("under_voltage", 3.3, 3.15, "V"),
]
OTHERS = [
    MemoryTag("usad", 0.4, 0.7, partner="suresoft", action="current_limit"),
    MemoryTag("soh_index", 80, 60, "%", partner="cnu"),
]
FOUR = [tag.tag for tag in LIMITS]


@dataclass
class Clock:
    """The platform's clock, which stands still until a test moves it."""

    at: datetime = START

    def __call__(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> None:
        self.at += by


def wave(tag: str, age_min: float) -> float:
    """A calm battery, `age_min` minutes before `START`."""
    calm = {
        "over_temp": 33.0 + 1.6 * sin(age_min / 23),
        "under_temp": 28.4 + 1.2 * sin(age_min / 23),
        "over_voltage": 3.94 + 0.05 * sin(age_min / 37),
        "under_voltage": 3.90 + 0.05 * sin(age_min / 37),
        "usad": 0.12 + 0.05 * sin(age_min / 5),
        "soh_index": 92.4,
    }
    return round(calm[tag], 3)


def heat(tag: str, age_min: float) -> float:
    """A battery that passed 50 °C and is at 53 °C now."""
    if tag != "over_temp":
        return wave(tag, age_min)
    return round(max(33.0, 53.0 - 0.06 * age_min**1.55 + 0.2 * sin(age_min * 2)), 1)


def battery(value: Callable[[str, float], float] = wave, minutes: int = 90) -> MemoryStore:
    """The four limit tags and two of other partners, one result a minute, the last at 10:04 KST, without a set."""
    clock = Clock()
    newest = floor_minute(START)
    tags = [*LIMITS, *OTHERS]
    results = {
        tag.tag: {newest - i * MINUTE: value(tag.tag, i) for i in range(minutes) if i not in range(30, 34)}
        for tag in tags
    }
    return MemoryStore(clock, tags, results, closed=newest)


def empty() -> MemoryStore:
    """A platform nobody has told anything yet."""
    return MemoryStore(Clock())


def normal() -> MemoryStore:
    """Everything calm, with two sets that have a history."""
    store = battery()
    _with_sets(store)
    return store


def overheat() -> MemoryStore:
    """over_temp is past its limit."""
    store = battery(heat)
    _with_sets(store)
    return store


def incomplete() -> MemoryStore:
    """over_temp is warm and under_voltage has sent nothing for 12 minutes."""
    store = battery(lambda tag, age: heat(tag, age + 12))
    for minute in sorted(store.results["under_voltage"])[-12:]:
        del store.results["under_voltage"][minute]
    store.reasons["under_voltage"] = "device demo-rack: connection refused since 09:53"
    store.changes = ("over_temp 46.1 °C arrived 41 s late, after the minute was first decided",)
    _with_sets(store)
    return store


def lost() -> MemoryStore:
    """Calm values, but nothing of under_voltage: the known tags alone would look safe."""
    store = normal()
    for minute in sorted(store.results["under_voltage"])[-12:]:
        del store.results["under_voltage"][minute]
    store.reasons["under_voltage"] = "device demo-rack: connection refused since 09:53"
    return store


def advance(store: MemoryStore, minutes: int, value: Callable[[str, float], float] = wave) -> None:
    """Let time pass: new results arrive and minutes are closed."""
    clock = store.clock
    assert isinstance(clock, Clock)
    for _ in range(minutes):
        clock.advance(MINUTE)
        newest = floor_minute(clock.at)
        for tag in store.tag_list:
            store.results[tag.tag][newest] = value(tag.tag, 0)
        store.closed = newest


def _with_sets(store: MemoryStore) -> None:
    begin = min(store.results["over_temp"])
    for tags in (FOUR, ["usad", "soh_index"]):
        made = store.find_or_create_set(tags, actor="scenario")
        store.backdate(made.set_id, begin + 10 * MINUTE)
