"""Where the stack keeps what under `SOS_HOME`, and who may read it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sos_ops.errors import InvalidConfigurationError
from sos_ops.settings import Settings


@dataclass(frozen=True)
class Layout:
    """The folders and files of one `SOS_HOME`."""

    home: Path

    @property
    def secrets(self) -> Path:
        """Generated passwords and keys, readable by the owner only."""
        return self.home / "secrets.json"

    @property
    def postgres(self) -> Path:
        """The embedded cluster's data."""
        return self.home / "postgres"

    @property
    def airflow(self) -> Path:
        """`AIRFLOW_HOME`."""
        return self.home / "airflow"

    @property
    def logs(self) -> Path:
        """One log file per program, rotated."""
        return self.home / "logs"

    @property
    def run(self) -> Path:
        """What only matters while the stack runs: the supervisor's configuration, socket and the lock."""
        return self.home / "run"

    @property
    def data_docs(self) -> Path:
        """Pages about the validation of results, which the page serves at `/data-docs/`."""
        return self.home / "data-docs"

    @property
    def user_home(self) -> Path:
        """`HOME` of every program, so that no library keeps its files elsewhere."""
        return self.home / "home"

    def log_of(self, program: str) -> Path:
        """The log file of a program."""
        return self.logs / f"{program}.log"

    def create(self) -> None:
        """Makes the folders, closed to others; through `SOS_HOME` itself others may pass, but not list it.

        Raises:
            InvalidConfigurationError: `SOS_HOME` cannot be written.
        """
        try:
            self.home.mkdir(parents=True, exist_ok=True)
            for folder in (self.airflow, self.logs, self.run, self.user_home):
                folder.mkdir(mode=0o700, exist_ok=True)
            if self.home.stat().st_uid == os.getuid():
                self.home.chmod(0o711)
        except OSError as error:
            raise InvalidConfigurationError(
                f"{self.home} cannot be written ({error.strerror}): set SOS_HOME to a folder of your own"
            ) from error
        if not os.access(self.run, os.W_OK | os.X_OK):
            raise InvalidConfigurationError(
                f"{self.home} belongs to another account: run as that account, or set SOS_HOME elsewhere"
            )


def layout(settings: Settings) -> Layout:
    """The folders of the configured `SOS_HOME`."""
    return Layout(settings.home)
