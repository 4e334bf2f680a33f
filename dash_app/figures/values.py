"""The recent values of the chosen tags: one panel per unit, each line with its own limits and its name at its end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from dash_app.codec import kst_minute, kst_point
from dash_app.data.port import Series, TagView
from dash_app.figures.gaps import gap_s, values_with_gaps
from dash_app.figures.theme import SERIES, WARNING, Figure, layout, time_axis
from dash_app.figures.thin import thin
from dash_app.text import Words

PANEL_PX = 168
GAP_PX = 26
FINE = timedelta(days=1)
"""Up to this range a pixel is less than a minute or two, and seconds are sent."""
LABEL_PX = 32
"""Height of a two-line label, the least distance between two of them."""


def figure(
    tags: Sequence[TagView], series: dict[str, Series], since: datetime, until: datetime, words: Words
) -> Figure:
    """Lines of `tags` in [since, until]; the number of traces depends on the tags alone, so a refresh can patch it."""
    panels = _panels(tags)
    plot_px = len(panels) * PANEL_PX + (len(panels) - 1) * GAP_PX
    result: Figure = {"data": [], "layout": layout(max(plot_px, PANEL_PX) + 62, 108)}
    frame = result["layout"]
    frame["annotations"] = []
    for number, members in enumerate(panels, start=1):
        axis = "y" if number == 1 else f"y{number}"
        top = 1 - (number - 1) * (PANEL_PX + GAP_PX) / plot_px
        frame[axis.replace("y", "yaxis")] = _value_axis(members[0].unit, top, PANEL_PX / plot_px)
        labels = []
        for view in members:
            colour = SERIES[list(tags).index(view) % len(SERIES)]
            line = _drawn(series.get(view.tag, Series([], [])), gap_s(since, until, view.max_age_s))
            result["data"] += _traces(view, line, since, until, axis, colour)
            frame["annotations"] += _limit_labels(view, axis, colour, words)
            labels.append((view, line, colour))
        frame["annotations"] += _end_labels(labels, axis, words)
    frame["xaxis"] = {
        **time_axis(words["time_axis"], kst_minute(since), kst_minute(until)),
        "anchor": f"y{len(panels)}" if len(panels) > 1 else "y",
    }
    return result


def signature(tags: Sequence[TagView]) -> str:
    """What a drawn figure must share with a new one to be refreshed in place."""
    return "|".join(f"{view.tag}:{view.unit}" for view in tags)


def summary(tags: Sequence[TagView], series: dict[str, Series], words: Words) -> str:
    """The figure as sentences, for those who do not see it."""
    return " ".join(_sentence(view.tag, series.get(view.tag, Series([], [])), words) for view in tags)


def number(value: float) -> str:
    """A value as short as it is exact enough to read: 4.086, 32.9, 40."""
    return f"{value:.6g}"


def _sentence(tag: str, line: Series, words: Words) -> str:
    known = [x for i in thin(line.values) if (x := line.values[i]) is not None]
    if not known:
        return words["values_sentence_none"].format(tag=tag)
    low, high, last = number(min(known)), number(max(known)), number(known[-1])
    count = len(line.values) - line.values.count(None)
    return words["values_sentence"].format(tag=tag, n=count, low=low, high=high, last=last)


def _panels(tags: Sequence[TagView]) -> list[list[TagView]]:
    """Tags of one unit share a panel; a tag without unit has its own, since its scale is its own."""
    panels: dict[str, list[TagView]] = {}
    for view in tags:
        panels.setdefault(view.unit or f"tag {view.tag}", []).append(view)
    return list(panels.values())


def _value_axis(unit: str | None, top: float, height: float) -> dict[str, Any]:
    return {
        "domain": [max(top - height, 0.0), top],
        "title": {"text": unit or "", "font": {"size": 12}, "standoff": 4},
        "gridcolor": "rgba(110,120,130,0.18)",
        "zeroline": False,
        "nticks": 5,
        "automargin": True,
    }


def _drawn(line: Series, apart_s: float) -> Series:
    """What is drawn of a series: few enough points, and gaps."""
    kept = thin(line.values)
    few = Series([line.times[i] for i in kept], [line.values[i] for i in kept])
    return values_with_gaps(few, apart_s)


def _traces(
    view: TagView, line: Series, since: datetime, until: datetime, axis: str, colour: str
) -> list[dict[str, Any]]:
    start, end = kst_minute(since), kst_minute(until)
    stamp = kst_point if until - since <= FINE else kst_minute
    # Empty ends keep the whole range in view, so that a day of which ten minutes are known looks like one.
    x = [start, *map(stamp, line.times), end]
    y = [None, *map(_rounded, line.values), None]
    common = {"type": "scatter", "yaxis": axis, "xaxis": "x"}
    past = _excursions(view, line)
    lower = view.warning_threshold < view.maximum_safe_value
    return [
        {
            **common,
            "name": view.tag,
            "mode": "lines",
            "line": {"color": colour, "width": 2},
            "x": x,
            "y": y,
            "hovertemplate": f"{view.tag} %{{y:.6~g}} {view.unit or ''}<br>%{{x}} KST<extra></extra>",
        },
        *(
            {
                **common,
                "name": f"{view.tag} {mark}",
                "mode": "lines",
                "hoverinfo": "skip",
                "line": {"color": colour, "width": 1.2, "dash": dash},
                "x": [start, end],
                "y": [limit, limit],
            }
            for mark, dash, limit in (
                ("SAFETY", "dot", view.maximum_safe_value),
                ("WARN", "dash", view.warning_threshold),
            )
        ),
        {
            **common,
            "name": f"{view.tag} past WARN",
            "mode": "markers",
            "hoverinfo": "skip",
            "marker": {
                "symbol": "triangle-down" if lower else "triangle-up",
                "size": 11,
                "color": WARNING,
                "line": {"color": "#fff", "width": 1},
            },
            "x": [stamp(line.times[i]) for i in past],
            "y": [_rounded(line.values[i]) for i in past],
        },
    ]


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")


def _excursions(view: TagView, line: Series, most: int = 200) -> list[int]:
    """The first sample of each stay past the warning threshold."""
    sign = 1 if view.warning_threshold > view.maximum_safe_value else -1
    past = [x is not None and sign * (x - view.warning_threshold) >= 0 for x in line.values]
    return [i for i, now in enumerate(past) if now and not (i and past[i - 1])][-most:]


def _limit_labels(view: TagView, axis: str, colour: str, words: Words) -> list[dict[str, Any]]:
    return [
        {
            "xref": "paper",
            "x": 0.005,
            "xanchor": "left",
            "yref": axis,
            "y": limit,
            "yanchor": "bottom",
            "text": f"{view.tag} {mark} {number(limit)}",
            "showarrow": False,
            "font": {"size": 11, "color": colour},
        }
        for mark, limit in (
            (words["mark_safety"], view.maximum_safe_value),
            (words["mark_warn"], view.warning_threshold),
        )
    ]


def _end_labels(
    labels: Sequence[tuple[TagView, Series, str]], axis: str, words: Words
) -> list[dict[str, Any]]:
    """Name and newest value at the end of each line, pushed apart where the lines meet."""
    shown = [x for _, line, _ in labels for x in line.values if x is not None]
    limits = [x for view, _, _ in labels for x in (view.maximum_safe_value, view.warning_threshold)]
    low, high = min(shown + limits), max(shown + limits)
    span = (high - low) or 1.0
    ends = [next((x for x in reversed(line.values) if x is not None), None) for _, line, _ in labels]
    natural = [0.5 * PANEL_PX if y is None else (y - low) / span * PANEL_PX * 0.9 for y in ends]
    placed = spread(natural, LABEL_PX)
    return [
        {
            "xref": "paper",
            "x": 1.0,
            "xanchor": "left",
            "xshift": 6,
            "yref": axis,
            "y": (low + high) / 2 if y is None else y,
            "yshift": round(there - here),
            "align": "left",
            "showarrow": False,
            "text": f"<b>{view.tag}</b><br>{_end_text(view, y, words)}",
            "font": {"size": 12, "color": colour},
        }
        for (view, _, colour), y, here, there in zip(labels, ends, natural, placed, strict=True)
    ]


def _end_text(view: TagView, y: float | None, words: Words) -> str:
    return words["values_empty"] if y is None else f"{number(y)} {view.unit or ''}".rstrip()


def spread(positions: Sequence[float], distance: float) -> list[float]:
    """The positions, in the given order, moved up as little as needed to be `distance` apart, centred on their mean."""
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    placed = [0.0] * len(positions)
    last = float("-inf")
    for i in order:
        placed[i] = last = max(positions[i], last + distance)
    shift = sum(p - q for p, q in zip(placed, positions, strict=True)) / max(len(positions), 1)
    return [p - shift for p in placed]
