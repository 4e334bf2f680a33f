"""What `sos-ops up` tells: a spinner and coloured lines on a terminal, plain lines anywhere else."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.status import Status
from rich.text import Text


class Reporter:
    """Writes to a console that may go away: a closed terminal or pipe must not end the platform."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status: Status | None = None

    def title(self, text: str) -> None:
        """What is about to happen."""
        self._print(Text(text, style="bold"))

    def line(self, text: str) -> None:
        """A plain line."""
        self._print(Text(text))

    def done(self, text: str, seconds: float | None = None) -> None:
        """Something that is finished."""
        took = "" if seconds is None or seconds < 1 else f" ({seconds:.0f} s)"
        self._print(Text.assemble(("  ok  ", "green"), text, (took, "dim")))

    def notice(self, text: str) -> None:
        """Something a person should know."""
        self._print(Text.assemble(("  !   ", "yellow"), text))

    def busy(self, text: str) -> None:
        """What is going on, in the spinner's line; nothing where there is no terminal."""
        if not self._console.is_terminal:
            return
        with self._forgiving():
            if self._status is None:
                self._status = self._console.status(text)
                self._status.start()
            self._status.update(Text(text))

    def idle(self) -> None:
        """Takes the spinner away."""
        if self._status is not None:
            status, self._status = self._status, None
            with self._forgiving():
                status.stop()

    @contextmanager
    def step(self, name: str, busy: str | None = None) -> Iterator[None]:
        """Shows that something is going on, and that it is done unless it raised."""
        begin = time.monotonic()
        self.busy(busy or name)
        try:
            yield
        finally:
            self.idle()
        self.done(name, time.monotonic() - begin)

    def ready(self, rows: Sequence[tuple[str, str]]) -> None:
        """The addresses."""
        self.idle()
        self.title("The platform is up.")
        for name, value in rows:
            self._print(Text.assemble((f"  {name:<9} ", "bold"), value))

    def _print(self, text: Text) -> None:
        with self._forgiving():
            # Addresses and passwords are copied: they are never broken into lines.
            self._console.print(text, soft_wrap=True, highlight=False)

    @contextmanager
    def _forgiving(self) -> Iterator[None]:
        try:
            yield
        except (OSError, SystemExit):  # SystemExit is Rich's answer to a closed pipe
            self._mute()

    def _mute(self) -> None:
        self._console.quiet = True
        self._console.file = open(os.devnull, "w")  # noqa: SIM115, PTH123  # for the rest of the process
