"""The platform's database goes away, Airflow's does not: the batteries are read on, and nothing read is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.apart import OUTCOMES, running_apart
from tests.support.invariants import broken_invariants

pytestmark = pytest.mark.timeout(900)


def test_what_is_read_while_the_database_is_away_for_90_s_is_stored_once_when_it_returns(
    tmp_path: Path,
) -> None:
    with running_apart(tmp_path) as platform:
        away = platform.without_database(90, rate=3)
        rows = platform.stack.query(OUTCOMES, away.first, away.last)
        read = [row for row in rows if row[1] == "complete"]
        # 90 s are 4.5 minutes of the platform; the run in which the database went or came may be late.
        assert len(read) >= 2, rows
        assert all(readings == points > 0 for _, _, readings, points in read)
        assert away.stored_after_s < 60
        with platform.stack.connect() as connection:
            assert broken_invariants(connection) == {}
