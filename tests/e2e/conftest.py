"""One running platform for all the scenarios."""

from __future__ import annotations

import subprocess
from collections.abc import Generator, Iterator

import pytest

from tests.support.invariants import broken_invariants
from tests.support.stack import RunningStack, stack_folder, start_stack, wait_for


@pytest.fixture(scope="session")
def stack() -> Iterator[RunningStack]:
    """The platform, started as `make up` starts it, once for the session."""
    with stack_folder() as folder:
        running = start_stack(folder)
        try:
            wait_for(
                lambda: (
                    b"The platform is up" in running.output.read_bytes() or running.process.poll() is not None
                ),
                "the platform is up",
                240,
            )
            assert running.process.poll() is None, running.output.read_text()
            yield running
        finally:
            running.stop()
            print(running.output.read_text())


@pytest.fixture
def healthy(stack: RunningStack) -> Iterator[RunningStack]:
    """The platform, and after the test the proof that nothing was lost, doubled or painted safe."""
    yield stack
    with stack.connect() as connection:
        assert broken_invariants(connection) == {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A scenario that fails tells what the platform said of itself at that moment."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("stack")
    if report.failed and isinstance(stack, RunningStack):
        try:
            said = stack.run("status", check=False)
            report.sections.append(("sos-ops status", said.stdout + said.stderr))
        except subprocess.TimeoutExpired as error:
            report.sections.append(("sos-ops status", str(error)))
        report.sections.append(("make up", stack.output.read_text()[-4000:]))
    return report
