"""Where the platform lives and listens: every `SOS_*` setting, read once from the environment.

What must stay secret is generated at the first start and kept under `SOS_HOME` (see `sos_ops.stack.secrets`).
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Self
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

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("database_url", "database_password", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return value or None

    @model_validator(mode="after")
    def _complete_database_url(self) -> Self:
        if self.database_url is not None and self.database_password is not None:
            self.database_url = _with_password(self.database_url, self.database_password)
        return self

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
        raise InvalidConfigurationError(f"SOS_{name}: {first['msg']}: set it right, or unset it") from error
