"""The page: Dash wiring around the one data port of `dash_app.data`."""
