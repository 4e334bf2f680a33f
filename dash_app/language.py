"""Which language the reader wants: `?lang=ko` in the address, remembered in a cookie."""

from __future__ import annotations

from flask import Flask, Response, has_request_context, request

from dash_app.text import DEFAULT_LANGUAGE, LANGUAGES, Words

COOKIE = "sos_lang"


def language() -> str:
    """The language of the running request."""
    if not has_request_context():
        return DEFAULT_LANGUAGE
    wanted = request.args.get("lang") or request.cookies.get(COOKIE) or DEFAULT_LANGUAGE
    return wanted if wanted in LANGUAGES else DEFAULT_LANGUAGE


def words() -> Words:
    """The strings of the running request's language."""
    return LANGUAGES[language()]


def remember_language(server: Flask) -> None:
    """Set the cookie whenever an address names a language."""

    @server.after_request
    def _remember(response: Response) -> Response:
        if request.args.get("lang") in LANGUAGES:
            response.set_cookie(COOKIE, language(), max_age=31_536_000, samesite="Lax", httponly=True)
        return response
