"""The first page without its data: where things stand."""

from __future__ import annotations

from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from dash_app import ids
from dash_app.codec import DEFAULT_SPAN, SPANS
from dash_app.components.attributes import attributes
from dash_app.components.grid import grid
from dash_app.data.port import MAX_TAGS
from dash_app.data_docs import ADDRESS
from dash_app.figures.sos import HEIGHT_PX
from dash_app.figures.theme import CONFIG
from dash_app.text import BROWSER_KEYS, Words

TICK_MS = 5_000
"""How often the page asks for the clock and the data time. Engines write once a minute."""


def layout(words: Words, language: str) -> dmc.MantineProvider:
    """The page in one language."""
    return dmc.MantineProvider(
        [
            *_plumbing(words),
            html.A(words["skip"], href="#content", className="skip"),
            _header(words, language),
            html.Div(id=ids.NOTICE, role="alert", className="notice"),
            html.Main([_side(words), _main(words)], id="content", className="columns"),
            html.Footer(html.A(words["data_docs"], href=ADDRESS), className="footer"),
        ],
        theme={"primaryColor": "dark", "fontFamily": "var(--font)", "focusRing": "always"},
    )


def _plumbing(words: Words) -> list[Any]:
    stores = (
        ids.TAG_NAMES,
        ids.GOTO,
        ids.PICTURE,
        ids.MINUTE,
        ids.PULSE,
        ids.VERSION,
        ids.RUNNING,
        ids.SOS_DRAWN,
        ids.VALUES_DRAWN,
    )
    return [
        dcc.Location(id=ids.URL, refresh=False),
        dcc.Interval(id=ids.TICK, interval=TICK_MS),
        dcc.Interval(id=ids.SECOND, interval=1_000),
        dcc.Store(id=ids.WORDS, data={key: words[key] for key in BROWSER_KEYS}),
        *(dcc.Store(id=name) for name in stores),
    ]


def _header(words: Words, language: str) -> html.Header:
    languages = html.Nav(
        [
            html.A(name, href=f"?lang={code}", lang=code, className="lang", **_current(code == language))
            for code, name in (("en", "EN"), ("ko", "한국어"))
        ],
        **attributes(aria_label=words["language"]),
    )
    return html.Header(
        [
            html.Div(
                [html.H1(dcc.Link(words["title"], href="/", refresh=False)), html.P(words["supervisory"])],
                className="brand",
            ),
            html.Div(
                [
                    html.Span(className="pulse-shape", **attributes(aria_hidden="true")),
                    html.Span(words["connecting"], id=ids.FRESHNESS),
                ],
                className="freshness",
                role="status",
            ),
            html.Div([languages, _theme_toggle(words)], className="tools"),
        ],
        className="header",
    )


def _current(yes: bool) -> dict[str, Any]:
    return attributes(aria_current="true") if yes else {}


def _theme_toggle(words: Words) -> dmc.ColorSchemeToggle:
    return dmc.ColorSchemeToggle(
        lightIcon=html.Span("☾"),
        darkIcon=html.Span("☼"),
        variant="subtle",
        color="gray",
        size="md",
        **attributes(aria_label=words["dark"]),
    )


def _side(words: Words) -> html.Div:
    return html.Div(
        [
            html.Section(
                [
                    html.Div(
                        [
                            html.H2(words["tags"]),
                            html.Span(id=ids.TAG_COUNT, className="quiet", role="status"),
                        ],
                        className="card-head",
                    ),
                    dmc.Select(
                        id=ids.SITE,
                        label=words["site"],
                        data=[],
                        className="site hidden",
                        allowDeselect=False,
                    ),
                    dmc.CheckboxGroup(
                        html.Div(html.Div(words["wait"], className="empty"), id=ids.TAG_LIST),
                        id=ids.TAGS,
                        value=[],
                        **attributes(aria_label=words["tags_hint"].format(max=MAX_TAGS)),
                    ),
                    html.Div(
                        [
                            dmc.Button(
                                words["check"],
                                id=ids.CHECK,
                                variant="default",
                                **attributes(aria_description=words["check_what"]),
                            ),
                            dmc.Button(
                                words["create"],
                                id=ids.CREATE,
                                **attributes(aria_description=words["create_what"]),
                            ),
                        ],
                        className="actions",
                    ),
                ],
                className="card tags-card",
            ),
            html.Section(
                [
                    html.H2(words["sets"]),
                    html.Ul(html.Li(words["wait"], className="empty"), id=ids.SETS, className="sets"),
                ],
                className="card",
            ),
        ],
        className="side",
    )


def _main(words: Words) -> html.Div:
    return html.Div(
        [
            html.Div(
                [
                    html.Span(words["range"], id="span-label", className="quiet"),
                    dmc.SegmentedControl(
                        id=ids.SPAN,
                        value=DEFAULT_SPAN,
                        data=[{"value": span, "label": words[span]} for span in SPANS],
                        size="xs",
                        **attributes(aria_labelledby="span-label"),
                    ),
                ],
                className="toolbar",
            ),
            html.Section(html.P(words["wait"], className="empty"), id=ids.SOS_PANEL, className="card"),
            _chart(ids.SOS_CARD, ids.SOS_CHART, ids.SOS_SUMMARY, words["sos_chart"], words["sos_chart_hint"]),
            _explain(words),
            _chart(ids.VALUES_CARD, ids.VALUES_CHART, ids.VALUES_SUMMARY, words["values_chart"], ""),
            html.Section([html.H2(words["table"]), grid(ids.GRID, words)], className="card"),
        ],
        className="main",
    )


def _chart(card: str, graph: str, summary: str, title: str, hint: str) -> html.Section:
    return html.Section(
        [
            html.Div([html.H2(title), html.Span(hint, className="quiet")], className="card-head"),
            html.P(id=summary, className="visually-hidden"),
            dcc.Graph(
                id=graph, figure={"data": [], "layout": {}}, config=CONFIG, style={"height": HEIGHT_PX}
            ),
        ],
        id=card,
        className="card chart-card hidden",
    )


def _explain(words: Words) -> html.Section:
    def step(name: str, sign: str, word: str) -> html.Button:
        return html.Button(
            sign, id=name, title=words[word], className="step", **attributes(aria_label=words[word])
        )

    steps = html.Div(
        [
            step(ids.EARLIER, "◂", "earlier"),
            step(ids.LATER, "▸", "later"),
            step(ids.NEWEST, words["newest"], "newest"),
        ],
        className="steps",
    )
    return html.Section(
        [
            html.Div(
                [html.H2(words["why"]), html.Span(id=ids.EXPLAIN_TITLE, className="quiet"), steps],
                className="card-head",
            ),
            html.Div(id=ids.EXPLAIN),
        ],
        id=ids.EXPLAIN_CARD,
        className="card hidden",
    )
