"""Settings of a stack that is never started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sos_ops.settings import Settings

MakeSettings = Callable[..., Settings]


@pytest.fixture
def make_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeSettings:
    """Settings with a `SOS_HOME` of this test's own, untouched by the caller's environment."""
    for name in ("SOS_DATABASE_URL", "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", "AIRFLOW_CONN_SOS_POSTGRES"):
        monkeypatch.delenv(name, raising=False)

    def make(**changes: Any) -> Settings:
        return Settings(**{"home": tmp_path / "home", **changes})

    return make
