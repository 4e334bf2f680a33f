"""Engines are found by their entry points; a broken one stops no other."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib.metadata import EntryPoint, EntryPoints
from types import ModuleType

import pandas as pd
import pytest

from sos_ops.engines import registry
from sos_ops.engines.interface import Analysis
from sos_ops.engines.limits import LimitEngine
from sos_ops.engines.registry import GROUP, load_engines
from sos_ops.safety.score import Limits


class GoodEngine:
    name = "good"
    partner = "keti"

    def analyse(
        self,
        readings: pd.DataFrame,  # noqa: ARG002  # an engine's interface
        limits: Mapping[str, Limits],  # noqa: ARG002
    ) -> Analysis:
        return Analysis(pd.DataFrame(columns=["timestamp", "tag", "value"]))


class NamesakeEngine(GoodEngine):
    """Another engine that took the same name."""


class RaisingEngine(GoodEngine):
    def __init__(self) -> None:
        raise RuntimeError("no licence")


class NoEngine:
    name = "none"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    """What a test puts in here is installed."""
    module = ModuleType("engines_of_this_test")
    for engine in (GoodEngine, NamesakeEngine, RaisingEngine, NoEngine):
        setattr(module, engine.__name__, engine)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    found: list[EntryPoint] = []
    monkeypatch.setattr(registry, "entry_points", lambda group: EntryPoints(found).select(group=group))
    return found


def entry(name: str, engine: str, module: str = "engines_of_this_test") -> EntryPoint:
    return EntryPoint(name, f"{module}:{engine}", GROUP)


def test_the_platforms_own_engine_is_installed() -> None:
    engines, failures = load_engines()
    assert [type(engine) for engine in engines] == [LimitEngine]
    assert failures == []


def test_broken_engines_are_named_and_stop_no_other(installed: list[EntryPoint]) -> None:
    installed += [
        entry("missing", "Engine", module="no_such_package"),
        entry("misspelt", "GodEngine"),
        entry("raising", "RaisingEngine"),
        entry("unfinished", "NoEngine"),
        entry("zz_good", "GoodEngine"),
    ]
    engines, failures = load_engines()
    assert [engine.name for engine in engines] == ["good"]
    assert [line.split()[1] for line in failures] == ["missing", "misspelt", "raising", "unfinished"]
    assert "no licence" in failures[2]
    assert all("\n" not in line for line in failures)


def test_of_two_engines_of_one_name_the_second_is_refused(installed: list[EntryPoint]) -> None:
    installed += [entry("a", "GoodEngine"), entry("b", "NamesakeEngine")]
    engines, failures = load_engines()
    assert [type(engine) for engine in engines] == [GoodEngine]
    (line,) = failures
    assert line.startswith("engine b ")
    assert "'good'" in line
