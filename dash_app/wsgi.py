"""What gunicorn serves: the page on the platform's database."""

from __future__ import annotations

from dash_app.app import create_app
from dash_app.data.postgres import PostgresStore
from sos_ops.settings import get_settings
from sos_ops.stack.layout import layout
from sos_ops.stack.secrets import database_url

_settings = get_settings()
server = create_app(PostgresStore(database_url(_settings)), layout(_settings).data_docs).server
