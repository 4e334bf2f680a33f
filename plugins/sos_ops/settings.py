"""Where the platform lives and listens: every `SOS_*` setting, read once from the environment.

What must stay secret is generated at the first start and kept under `SOS_HOME` (see `sos_ops.stack.secrets`).
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import quote, urlsplit

from pydantic import Field, PostgresDsn, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sos_ops.errors import InvalidConfigurationError

CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder that holds `dags/`, `include/`, `plugins/`: the checkout, or `/opt/sos` in the container."""

SQL_DIR = CHECKOUT / "include" / "sql"


class Scenario(StrEnum):
    """What the simulated BMS lives through."""

    NORMAL = "normal"
    OVERHEAT = "overheat"


MOST_SHARED_BUSES = 16
"""Each keeps a process of Airflow busy for most of a minute."""


class SharedBus(NamedTuple):
    """A gateway whose line other DAGs use too: the platform polls it in a task and a one-slot pool of its own."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """A bus from `host:port`; an IPv6 address stands in brackets.

        Raises:
            ValueError: it is none; says how to write one.
        """
        host, _, port = text.strip().lower().rpartition(":")
        if host.startswith("[") and host.endswith("]"):
            host = host[1:-1]
        elif ":" in host:
            raise ValueError(f"{text.strip()!r} is no bus: an IPv6 address stands in brackets, [fe80::1]:502")
        if not re.fullmatch(r"[^\s,/@\[\]]+", host) or not re.fullmatch(r"\d{1,5}", port):
            raise ValueError(f"{text.strip()!r} is no bus: write it as host:port, such as 10.0.0.5:502")
        if not 1 <= int(port) <= 65535:
            raise ValueError(f"{text.strip()!r} is no bus: its TCP port must be 1 to 65535")
        return cls(host, int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def label(self) -> str:
        """Host and port with `_` for what a name may not hold: `10_0_0_5_502`."""
        return re.sub(r"[^a-z0-9]", "_", f"{self.host}_{self.port}")

    @property
    def task_id(self) -> str:
        """The task of `sos_minute` that polls it."""
        return f"poll_bus_{self.label}"

    @property
    def pool(self) -> str:
        """The Airflow pool with one slot that every task on this bus takes."""
        return f"modbus_{self.label}"


def _parse_buses(text: str) -> tuple[SharedBus, ...]:
    buses = tuple(SharedBus.parse(part) for part in text.split(",") if part.strip())
    if len(buses) > MOST_SHARED_BUSES:
        raise ValueError(f"{len(buses)} buses are too many: name at most {MOST_SHARED_BUSES}")
    labels: dict[str, SharedBus] = {}
    for bus in buses:
        other = labels.setdefault(bus.label, bus)
        if other is not bus:
            raise ValueError(
                f"{bus} is named twice: name it once"
                if other == bus
                else f"{other} and {bus} would share a pool's name: leave one out"
            )
    return buses


class Settings(BaseSettings):
    """The platform's settings. Ports are TCP ports on 127.0.0.1, unless each program has a container of its own."""

    model_config = SettingsConfigDict(env_prefix="SOS_", extra="ignore")

    home: Path = CHECKOUT / ".sos"
    dashboard_port: int = Field(default=8050, ge=1, le=65535)
    airflow_port: int = Field(default=8080, ge=1, le=65535)
    modbus_port: int = Field(default=5020, ge=1, le=65535)
    postgres_port: int = Field(default=5433, ge=1, le=65535)
    scenario: Scenario = Scenario.OVERHEAT
    database_url: PostgresDsn | None = None
    """An own PostgreSQL (15 or newer) to use instead of the embedded one."""
    database_password: SecretStr | None = Field(default=None, exclude=True)
    """The password that `database_url` leaves out, as it is: nothing in it needs quoting."""
    bind: str = "127.0.0.1"
    """Address that the page, Airflow and the simulated BMS listen on; in a container `0.0.0.0`."""
    airflow_host: str = "127.0.0.1"
    """Where Airflow's tasks, and whoever looks after Airflow, reach its API."""
    modbus_host: str = "127.0.0.1"
    """Where the demo's device is reached."""
    shared_buses: str = ""
    """Gateways (`host:port`, separated by commas) whose line other DAGs use too; see `buses`."""
    buffer_mb: int = Field(default=512, ge=1)
    """How much of what was read may wait on disk for the database, in megabytes."""
    raw_days: int = Field(default=90, ge=1)
    """How many whole UTC days of raw registers are kept, so that they can be decoded again."""

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("database_url", "database_password", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return value or None

    @field_validator("shared_buses")
    @classmethod
    def _names_buses(cls, value: str) -> str:
        return ",".join(str(bus) for bus in _parse_buses(value))

    @model_validator(mode="after")
    def _complete_database_url(self) -> Self:
        if self.database_url is not None and self.database_password is not None:
            self.database_url = _with_password(self.database_url, self.database_password)
        return self

    @property
    def buses(self) -> tuple[SharedBus, ...]:
        """The gateways of `shared_buses`, in the order given."""
        return _parse_buses(self.shared_buses)

    @property
    def uses_embedded_postgres(self) -> bool:
        """True when no own server was named."""
        return self.database_url is None


def _with_password(url: PostgresDsn, password: SecretStr) -> PostgresDsn:
    parts = urlsplit(str(url))
    if parts.password or not parts.username:
        return url
    login, _, server = parts.netloc.rpartition("@")
    quoted = quote(password.get_secret_value(), safe="")
    return PostgresDsn(parts._replace(netloc=f"{login.rstrip(':')}:{quoted}@{server}").geturl())


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process.

    Raises:
        InvalidConfigurationError: a `SOS_*` variable cannot be used; the line names it.
    """
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"]).upper()
        raise InvalidConfigurationError(
            f"SOS_{name}: {first['msg'].removeprefix('Value error, ')}: set it right, or unset it"
        ) from error
