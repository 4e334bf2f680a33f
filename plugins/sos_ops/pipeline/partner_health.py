"""Housekeeping for partners: how they deliver is measured, and sessions that stay open too long are ended."""

from __future__ import annotations

from sos_ops.store.clock import now
from sos_ops.store.connection import Connect
from sos_ops.store.logins import end_long_sessions
from sos_ops.store.partner_health import refresh_partner_health

LONGEST_TRANSACTION_S = 600.0
"""A partner's transaction may last so long. Housekeeping looks an hour back for rows that were committed late."""


def measure_partners(connect: Connect) -> str:
    """Measures every tag in use over the last hour and day; one line of result."""
    with connect() as connection:
        tags, hours = refresh_partner_health(connection, now(connection))
    return f"{tags} tags measured, {hours} whole hours kept"


def end_long_partner_sessions(connect: Connect) -> str:
    """Ends partners' sessions with a transaction older than ten minutes; one line of result."""
    with connect() as connection:
        ended = end_long_sessions(connection, LONGEST_TRANSACTION_S)
    return f"{ended} sessions of partners ended whose transaction was too old"
