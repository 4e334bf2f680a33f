"""The real PostgreSQL of the integration tests: started once for all of them, a fresh database for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.database import Cluster, Database, running_cluster


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The server, and the migrated database that each test's is a copy of."""
    with running_cluster() as running:
        yield running


@pytest.fixture
def database(cluster: Cluster) -> Iterator[Database]:
    """A migrated database without anything in it, of this test alone."""
    with cluster.fresh_database() as fresh:
        yield fresh
