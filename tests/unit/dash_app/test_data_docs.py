"""The page's server gives out the validation reports and nothing else of the machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from dash_app.data_docs import serve_data_docs


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    docs = tmp_path / "data-docs"
    (docs / "run").mkdir(parents=True)
    (docs / "run" / "index.html").write_text("<p>found</p>")
    (docs / ".hidden.html").write_text("secret")
    (docs / "run" / "data.json").write_text("secret")
    (tmp_path / "secrets.json").write_text("secret")
    (tmp_path / "secret.html").write_text("secret")
    (docs / "link.html").symlink_to(tmp_path / "secret.html")
    return docs


@pytest.fixture
def client(folder: Path) -> FlaskClient:
    server = Flask(__name__)
    serve_data_docs(server, folder)
    return server.test_client()


def test_a_report_is_served_and_may_run_and_load_nothing(client: FlaskClient) -> None:
    answer = client.get("/data-docs/run/index.html")
    assert (answer.status_code, answer.text, answer.mimetype) == (200, "<p>found</p>", "text/html")
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "script-src" not in answer.headers["Content-Security-Policy"]


def test_before_the_first_build_the_address_says_so(client: FlaskClient, folder: Path) -> None:
    answer = client.get("/data-docs/")
    assert answer.status_code == 404
    assert "housekeeping builds one every hour" in answer.text
    (folder / "index.html").write_text("reports")
    assert client.get("/data-docs/").text == "reports"


@pytest.mark.parametrize(
    "path",
    [
        "../secret.html",
        "..%2fsecret.html",
        "%2e%2e/secret.html",
        "run/../../secret.html",
        "/etc/passwd",
        "//etc/passwd.html",
        ".hidden.html",
        "run/data.json",
        "link.html",
        "run",
        "run/",
        "nothing.html",
        "a%00.html",
    ],
)
def test_nothing_else_is_found(client: FlaskClient, path: str) -> None:
    answer = client.get(f"/data-docs/{path}")
    assert answer.status_code in (308, 404)
    assert "secret" not in answer.text
