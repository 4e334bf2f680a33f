"""Bringing the maps that came with an older version of the platform to those of this one."""

from __future__ import annotations

from sos_ops.store.connection import connect
from sos_ops.store.maps import renew_bundled_maps


def renew_maps(database_url: str) -> list[str]:
    """Stores newer versions of bundled maps that the database knows.

    Returns:
        A line for each that changed, or could not; see `renew_bundled_maps`.
    """
    with connect(database_url, actor="make up") as connection:
        return renew_bundled_maps(connection)
