from __future__ import annotations

import io
import os

from rich.console import Console

from sos_ops.stack.reporter import Reporter


def test_without_a_terminal_there_are_plain_whole_lines() -> None:
    output = io.StringIO()
    reporter = Reporter(Console(file=output, width=20))
    with reporter.step("PostgreSQL's cluster"):
        reporter.busy("a spinner's text")
    reporter.ready([("Page", "http://127.0.0.1:8050/a/long/address/that/is/copied")])
    assert output.getvalue() == (
        "  ok  PostgreSQL's cluster\n"
        "The platform is up.\n"
        "  Page      http://127.0.0.1:8050/a/long/address/that/is/copied\n"
    )


def test_a_step_that_failed_is_not_called_done() -> None:
    output = io.StringIO()
    reporter = Reporter(Console(file=output))
    try:
        with reporter.step("tables"):
            raise ValueError
    except ValueError:
        pass
    assert output.getvalue() == ""


def test_a_closed_pipe_does_not_end_the_platform() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as pipe:
        reporter = Reporter(Console(file=pipe))
        for _ in range(3):
            reporter.notice("postgres ended and was started again")
        pipe_error = None
        try:
            pipe.close()
        except BrokenPipeError as error:
            pipe_error = error
    assert pipe.closed or pipe_error
