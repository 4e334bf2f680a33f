"""What every figure shares. Frames and text take their colours from `assets/style.css`: one figure, both themes."""

from __future__ import annotations

from typing import Any

Figure = dict[str, Any]
"""A Plotly figure as JSON-ready lists and dictionaries: arrays of numpy would be corrupted by `Patch`."""

SERIES = ("#0072B2", "#857400", "#B5489A", "#6E6E6E")
"""Four line colours with at least 3:1 contrast on the light and the dark ground, also without colour vision."""

WARNING = "#B45309"
CRITICAL = "#C8102E"
NEUTRAL = "#5B6B7B"
FAINT = "rgba(110,120,130,0.55)"

CONFIG: Any = {
    "displaylogo": False,
    "showSendToCloud": False,
    "responsive": True,
    "displayModeBar": "hover",
    "scrollZoom": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d", "toImage"],
}
"""plotly.js 4 would offer to upload the chart to a cloud by default."""

FONT = {"family": "inherit", "size": 12, "color": NEUTRAL}


def time_axis(title: str, start: str, end: str) -> dict[str, Any]:
    """The x axis: wall-clock strings, labelled with their zone; without a zoom it shows exactly [start, end]."""
    return {
        # `minallowed` of plotly.js 4.1 makes an empty axis of a date string.
        "autorangeoptions": {"clipmin": start, "clipmax": end},
        "type": "date",
        "title": {"text": title, "font": {"size": 11}, "standoff": 6},
        "showgrid": False,
        "zeroline": False,
        "showline": True,
        "linecolor": FAINT,
        "ticks": "outside",
        "ticklen": 4,
        "tickcolor": FAINT,
        "tickangle": 0,
        "hoverformat": "%Y-%m-%d %H:%M",
        "tickformatstops": [
            {"dtickrange": [None, 43_200_000], "value": "%H:%M\n%Y-%m-%d"},
            {"dtickrange": [43_200_000, None], "value": "%m-%d\n%Y"},
        ],
    }


def layout(height: int, right: int) -> dict[str, Any]:
    """Frame and interaction, `height` and the right margin in pixels."""
    return {
        "height": height,
        "margin": {"l": 46, "r": right, "t": 14, "b": 48},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": FONT,
        "showlegend": False,
        "hovermode": "x",
        "dragmode": "zoom",
        "hoverlabel": {"font": {"size": 12}},
    }
