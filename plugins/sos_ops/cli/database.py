"""The database this command line works on."""

from __future__ import annotations

from contextlib import AbstractContextManager

from sos_ops.settings import get_settings
from sos_ops.stack.secrets import database_url
from sos_ops.store.connection import Connection
from sos_ops.store.connection import connect as connect_to


def url() -> str:
    """The platform's database URL, by the settings of this process."""
    return database_url(get_settings())


def connect() -> AbstractContextManager[Connection]:
    """One transaction on the platform's database, on behalf of whoever runs the command."""
    return connect_to(url())
