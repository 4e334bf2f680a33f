"""Where the platform lives and listens: every `SOS_*` setting, read once from the environment.

What must stay secret is generated at the first start and kept under `SOS_HOME` (see `sos_ops.stack.secrets`).
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from pathlib import Path

from pydantic import Field, PostgresDsn, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

CHECKOUT = Path(__file__).resolve().parents[2]
"""The folder that holds `dags/`, `include/`, `plugins/`: the checkout, or `/opt/sos` in the container."""

SQL_DIR = CHECKOUT / "include" / "sql"


class Scenario(StrEnum):
    """What the simulated BMS lives through."""

    NORMAL = "normal"
    OVERHEAT = "overheat"


class Settings(BaseSettings):
    """The platform's settings. Ports are TCP ports on 127.0.0.1."""

    model_config = SettingsConfigDict(env_prefix="SOS_", extra="ignore")

    home: Path = CHECKOUT / ".sos"
    dashboard_port: int = Field(default=8050, ge=1, le=65535)
    airflow_port: int = Field(default=8080, ge=1, le=65535)
    modbus_port: int = Field(default=5020, ge=1, le=65535)
    postgres_port: int = Field(default=5433, ge=1, le=65535)
    scenario: Scenario = Scenario.OVERHEAT
    database_url: PostgresDsn | None = None
    """An own PostgreSQL (15 or newer) to use instead of the embedded one."""

    @field_validator("home")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("database_url", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object) -> object:
        return value or None

    @property
    def uses_embedded_postgres(self) -> bool:
        """True when no own server was named."""
        return self.database_url is None


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The settings of this process."""
    return Settings()
