"""SoS over time: the line, its bands, and what is not known, which is drawn as the space below its upper bound."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from dash_app.codec import kst_minute
from dash_app.data.port import Band, SosSeries
from dash_app.figures.gaps import MINUTE_S, gap_s, minutes_with_gaps
from dash_app.figures.theme import CRITICAL, FAINT, NEUTRAL, WARNING, Figure, layout, time_axis
from dash_app.figures.thin import thin
from dash_app.text import Words, rounded_down

HEIGHT_PX = 270


def figure(
    series: SosSeries,
    since: datetime,
    until: datetime,
    bands: tuple[float, float],
    at: datetime | None,
    words: Words,
) -> Figure:
    """The SoS of one set in [since, until].

    Args:
        series: the minutes, oldest first.
        since: left end.
        until: right end.
        bands: SoS below which it is (warning, critical).
        at: the minute being explained.
        words: the reader's strings.
    """
    frame = layout(HEIGHT_PX, 108)
    frame["xaxis"] = time_axis(words["time_axis"], kst_minute(since), kst_minute(until))
    frame["yaxis"] = {
        "range": [0, 1.03],
        "tickvals": [0, bands[1], bands[0], 1],
        "tickformat": ".2f",
        "showgrid": False,
        "zeroline": False,
        "title": {"text": words["sos"], "font": {"size": 12}, "standoff": 4},
    }
    frame["shapes"] = [*_band_shapes(*bands), *([_cursor(at)] if at else [])]
    frame["annotations"] = _band_labels(*bands, words)
    whole = minutes_with_gaps(_few(series), gap_s(since, until, MINUTE_S))
    return {"data": _traces(whole, kst_minute(since), kst_minute(until), words), "layout": frame}


def summary(set_id: int, series: SosSeries, words: Words) -> str:
    """The figure as one sentence, for those who do not see it."""
    bounds = [x for x in series.uppers if x is not None]
    if not bounds:
        return words["sos_sentence_none"].format(id=set_id)
    return words["sos_sentence"].format(
        id=set_id,
        since=kst_minute(series.minutes[0]),
        until=kst_minute(series.minutes[-1]),
        low=rounded_down(min(bounds)),
        unknown=_minutes(series, unknown_only=True),
        n=_minutes(series, unknown_only=False),
    )


def _minutes(series: SosSeries, *, unknown_only: bool) -> int:
    """How many minutes the series stands for: a sample of a thinned one for all until the next."""
    ends = [*series.minutes[1:], series.minutes[-1] + timedelta(minutes=1)]
    spans = zip(series.minutes, ends, series.values, strict=True)
    total = sum(
        ((end - start) for start, end, value in spans if value is None or not unknown_only), timedelta()
    )
    return round(total / timedelta(minutes=1))


def _few(series: SosSeries) -> SosSeries:
    """The minutes to draw: the extremes of what is known and of what is not, and where one becomes the other."""
    bounds = [
        upper if value is None else None for value, upper in zip(series.values, series.uppers, strict=True)
    ]
    kept = sorted({*thin(series.values), *thin(bounds)})
    return SosSeries(
        [series.minutes[i] for i in kept],
        [series.values[i] for i in kept],
        [series.uppers[i] for i in kept],
        [series.bands[i] for i in kept],
    )


def _traces(series: SosSeries, start: str, end: str, words: Words) -> list[dict[str, Any]]:
    minutes = [kst_minute(minute) for minute in series.minutes]

    def points(pick: Callable[[int], float | None]) -> dict[str, Any]:
        y = [pick(i) for i in range(len(minutes))]
        return {"x": [start, *minutes, end], "y": [None, *map(_rounded, y), None]}

    def value(i: int) -> float | None:
        return series.values[i]

    def bound(i: int) -> float | None:
        return series.uppers[i] if series.values[i] is None else None

    def marks(band: Band, source: Callable[[int], float | None]) -> dict[str, Any]:
        hits = [
            (minutes[i], round(y, 6))
            for i in range(len(minutes))
            if series.bands[i] == band and (y := source(i)) is not None
        ]
        return {"x": [x for x, _ in hits], "y": [y for _, y in hits]}

    few = len(series.minutes) <= 120
    hover = "SoS %{y:.3f}<br>%{x} KST<extra></extra>"
    at_most = f"SoS {words['unknown']}, {words['at_most']} %{{y:.3f}}<br>%{{x}} KST<extra></extra>"
    return [
        {
            # Where something is known the area has no height: a gap in a filled line would be filled across.
            **points(lambda i: bound(i) or 0.0),
            "type": "scatter",
            "name": f"{words['unknown']} area",
            "mode": "lines",
            "line": {"width": 0, "shape": "hvh"},
            "hoverinfo": "skip",
            "fill": "tozeroy",
            "fillpattern": {
                "shape": "/",
                "size": 7,
                "solidity": 0.2,
                "fgcolor": FAINT,
                "bgcolor": "rgba(0,0,0,0)",
            },
        },
        {
            **_base(words["unknown"], at_most),
            **points(bound),
            "mode": "lines+markers",
            "line": {"color": FAINT, "width": 1.2, "dash": "dot", "shape": "hvh"},
            "marker": {"symbol": "diamond-open", "size": 6, "color": NEUTRAL},
        },
        {
            **_base(words["sos"], hover),
            **points(value),
            "mode": "lines+markers",
            "line": {"color": NEUTRAL, "width": 2},
            "marker": {"size": 4 if few else 2, "color": NEUTRAL},
        },
        _marked(words["warning"], marks(Band.WARNING, value), "triangle-up", WARNING),
        _marked(words["critical"], marks(Band.CRITICAL, value), "square", CRITICAL),
        _marked(words["warning"], marks(Band.WARNING, bound), "triangle-up-open", WARNING),
        _marked(words["critical"], marks(Band.CRITICAL, bound), "square-open", CRITICAL),
    ]


def _rounded(sos: float | None) -> float | None:
    return None if sos is None else round(sos, 6)


def _base(name: str, hover: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "name": name,
        "hovertemplate": hover,
        "connectgaps": False,
        "cliponaxis": False,
    }


def _marked(name: str, points: dict[str, Any], symbol: str, colour: str) -> dict[str, Any]:
    marker = {"symbol": symbol, "size": 8, "color": colour}
    return {
        "type": "scatter",
        "name": name,
        "mode": "markers",
        "marker": marker,
        "hoverinfo": "skip",
        "cliponaxis": False,
        **points,
    }


def _band_shapes(warning: float, critical: float) -> list[dict[str, Any]]:
    across: dict[str, Any] = {"xref": "paper", "x0": 0, "x1": 1, "yref": "y", "layer": "below"}
    return [
        {
            **across,
            "type": "rect",
            "y0": critical,
            "y1": warning,
            "fillcolor": "rgba(110,120,130,0.08)",
            "line": {"width": 0},
        },
        {
            **across,
            "type": "rect",
            "y0": 0,
            "y1": critical,
            "fillcolor": "rgba(110,120,130,0.18)",
            "line": {"width": 0},
        },
        *(
            {**across, "type": "line", "y0": y, "y1": y, "line": {"color": FAINT, "width": 1, "dash": "dash"}}
            for y in (warning, critical)
        ),
    ]


def _cursor(at: datetime) -> dict[str, Any]:
    x = kst_minute(at)
    line = {"color": NEUTRAL, "width": 1.5, "dash": "solid"}
    return {"type": "line", "xref": "x", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": line}


def _band_labels(warning: float, critical: float, words: Words) -> list[dict[str, Any]]:
    rows = (
        ((1 + warning) / 2, words["safe"], ""),
        ((warning + critical) / 2, words["warning"], f"< {warning:.2f}"),
        (critical / 2, words["critical"], f"< {critical:.2f}"),
    )
    return [
        {
            "xref": "paper",
            "x": 1.0,
            "xanchor": "left",
            "xshift": 6,
            "yref": "y",
            "y": y,
            "showarrow": False,
            "align": "left",
            "text": f"{name} {edge}".rstrip(),
            "font": {"size": 12, "color": NEUTRAL},
        }
        for y, name, edge in rows
    ]
