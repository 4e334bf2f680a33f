"""The engines that are installed."""

from __future__ import annotations

import logging
from importlib.metadata import entry_points

from sos_ops.engines.interface import Engine

GROUP = "sos_ops.engines"

log = logging.getLogger(__name__)


def load_engines() -> tuple[list[Engine], list[str]]:
    """Every engine found through the entry point group, in name order.

    Returns:
        The engines, and one line for each entry point that cannot be used: a broken one stops no other.
    """
    engines: list[Engine] = []
    failures: list[str] = []
    for entry in sorted(entry_points(group=GROUP), key=lambda e: e.name):
        try:
            engine = entry.load()()
        except Exception as error:  # noqa: BLE001  # whatever a foreign package does at import stays its own
            failures.append(
                f"engine {entry.name} ({entry.value}) cannot be loaded: {type(error).__name__}: {error}"
            )
            continue
        if not isinstance(engine, Engine):
            failures.append(f"engine {entry.name} ({entry.value}) has no name, partner and analyse()")
        elif engine.name in (other.name for other in engines):
            # What is analysed is remembered by the engine's name: two of one name would hide minutes from each other.
            failures.append(
                f"engine {entry.name} ({entry.value}): another one is named {engine.name!r}, rename it"
            )
        else:
            engines.append(engine)
    return engines, failures
