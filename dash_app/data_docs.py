"""The Data Docs of validation at `/data-docs/`: static files of one folder, nothing else, and nothing that runs."""

from __future__ import annotations

import re
from pathlib import Path

from flask import Flask, Response, send_from_directory
from werkzeug.exceptions import NotFound

ADDRESS = "/data-docs/"

# Partners' names and values stand in these pages: whatever they hold, nothing runs or is loaded from elsewhere.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_PAGE = re.compile(r"(\w[\w-]*/)?\w[\w-]*\.html", re.ASCII)
"""A page of a build, or the list of builds: no hidden files, nothing above, nothing that is no page."""
_NONE_YET = "No validation report is built yet: housekeeping builds one every hour.\n"


def serve_data_docs(server: Flask, folder: Path) -> None:
    """Serves the pages below `folder`; a path that leads out of it, or to a hidden file, is not found."""

    @server.get(ADDRESS, defaults={"path": "index.html"})
    @server.get(f"{ADDRESS}<path:path>")
    def data_docs(path: str) -> Response:
        if not _PAGE.fullmatch(path):
            raise NotFound
        try:
            # Refuses what leads out of the folder; a link in it that does is refused here.
            if not (folder / path).resolve().is_relative_to(folder.resolve()):
                raise NotFound
            response = send_from_directory(folder, path, mimetype="text/html", max_age=0)
        except NotFound:
            if path != "index.html":
                raise
            response = Response(_NONE_YET, status=404, mimetype="text/plain")
        response.headers["Content-Security-Policy"] = _POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        return response
