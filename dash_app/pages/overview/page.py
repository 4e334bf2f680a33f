"""What the first page consists of."""

from __future__ import annotations

from dash import Dash

from dash_app.data.port import SafetyStore
from dash_app.pages.overview import charts, navigation, now


def register(app: Dash, store: SafetyStore) -> None:
    """Wire the page's callbacks to a store."""
    navigation.register(app, store)
    now.register(app, store)
    charts.register(app, store)
