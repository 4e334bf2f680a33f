"""A platform of its own for each long test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.invariants import broken_invariants
from tests.support.stack import RunningStack, start_stack, wait_for


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[RunningStack]:
    """The running platform; after the test nothing may be lost, doubled or painted safe."""
    running = start_stack(tmp_path)
    try:
        wait_for(lambda: (row := running.newest()) and row["value"] is not None, "a first SoS", 400)
        yield running
        with running.connect() as connection:
            assert broken_invariants(connection) == {}
    finally:
        running.stop()
