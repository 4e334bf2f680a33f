"""Every test of the pipeline has an SOS_HOME of its own, so that buffers do not meet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sos_ops.settings import Settings, get_settings


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The settings of the test, with the buffer in its own folder."""
    monkeypatch.setenv("SOS_HOME", str(tmp_path / "home"))
    get_settings.cache_clear()
    yield get_settings()
    get_settings.cache_clear()
