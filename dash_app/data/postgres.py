"""The data port on the platform's database: each call is one short transaction of `sos_ops.store`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dash_app.data.port import Explanation, Series, SetView, SosPoint, SosSeries, TagView
from sos_ops.store import page
from sos_ops.store.clock import now
from sos_ops.store.connection import connect
from sos_ops.store.explanations import explain


class PostgresStore:
    """Implements `dash_app.data.port.SafetyStore`. Keeps nothing between calls but the address."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url

    def now(self) -> datetime:
        """Platform time."""
        with connect(self._database_url) as connection:
            return now(connection)

    def data_time(self) -> datetime | None:
        """The newest decided minute."""
        with connect(self._database_url) as connection:
            return page.data_time(connection)

    def tags(self, site: str | None = None) -> list[TagView]:
        """Every tag in use (of one site)."""
        with connect(self._database_url) as connection:
            return page.tag_views(connection, site)

    def values(self, tags: Sequence[str], since: datetime, until: datetime, points: int) -> dict[str, Series]:
        """Accepted results in [since, until], by tag."""
        with connect(self._database_url) as connection:
            return page.value_series(connection, tags, since, until, points)

    def find_or_create_set(self, tags: Sequence[str], actor: str) -> SetView:
        """The set of these tags, made if it is new."""
        with connect(self._database_url, actor=actor) as connection:
            return page.find_or_create_set(connection, tags)

    def find_set(self, tags: Sequence[str]) -> SetView | None:
        """The set of these tags, if it exists."""
        with connect(self._database_url) as connection:
            return page.find_set(connection, tags)

    def set_view(self, set_id: int) -> SetView | None:
        """The set of that number."""
        with connect(self._database_url) as connection:
            return page.set_view(connection, set_id)

    def sets(self) -> list[tuple[SetView, SosPoint | None]]:
        """The sets in use, worst first."""
        with connect(self._database_url) as connection:
            return page.sets(connection)

    def latest(self, set_id: int) -> SosPoint | None:
        """The newest decided minute of a set."""
        with connect(self._database_url) as connection:
            return page.latest(connection, set_id)

    def sos_series(self, set_id: int, since: datetime, until: datetime, points: int) -> SosSeries:
        """The decided minutes of a set in [since, until]."""
        with connect(self._database_url) as connection:
            return page.sos_series(connection, set_id, since, until, points)

    def explain(self, set_id: int, minute: datetime | None) -> Explanation:
        """Why the SoS is what it is."""
        with connect(self._database_url) as connection:
            return explain(connection, set_id, minute)

    def ready(self) -> None:
        """Returns when the database answers, raises when it does not."""
        with connect(self._database_url) as connection:
            connection.execute("select 1")
