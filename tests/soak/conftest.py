"""A platform of its own for each long test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.invariants import broken_invariants
from tests.support.stack import RunningStack, stack_folder, start_stack, wait_for


@pytest.fixture
def platform() -> Iterator[RunningStack]:
    """The running platform; after the test nothing may be lost, doubled or painted safe."""
    with stack_folder() as folder:
        running = start_stack(folder)
        try:
            wait_for(lambda: (row := running.newest()) and row["value"] is not None, "a first SoS", 400)
            yield running
            with running.connect() as connection:
                assert broken_invariants(connection) == {}
        finally:
            running.stop()
