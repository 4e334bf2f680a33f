"""Passwords and keys: made at the first start, kept in `SOS_HOME/secrets.json` for its owner's eyes only."""

from __future__ import annotations

import base64
import json
import os
import secrets
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from sos_ops.errors import InvalidConfigurationError
from sos_ops.settings import Settings
from sos_ops.stack.layout import layout

AIRFLOW_DATABASE = "airflow"
AIRFLOW_URL_VARIABLE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


@dataclass(frozen=True)
class Secrets:
    """What nobody else may know. Letters, digits, `-`, `_` and `=` only: a URL needs no quoting of them."""

    postgres_password: str = field(repr=False)
    """Of the role `sos`, the embedded cluster's superuser."""
    airflow_database_password: str = field(repr=False)
    """Of the role `airflow`, the owner of Airflow's metadata."""
    airflow_admin_password: str = field(repr=False)
    """Of the user `admin` in Airflow."""
    airflow_fernet_key: str = field(repr=False)
    airflow_jwt_secret: str = field(repr=False)
    airflow_api_secret_key: str = field(repr=False)


def load_or_create(settings: Settings) -> Secrets:
    """The secrets of this `SOS_HOME`, generated if there are none yet.

    Two starts at the same moment end up with the same secrets: the file appears whole and once.

    Raises:
        InvalidConfigurationError: the file cannot be read or written, or does not hold all secrets.
    """
    path = layout(settings).secrets
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _create(path)
        return _parse(path)
    except OSError as error:
        raise InvalidConfigurationError(
            f"{path} cannot be used ({error.strerror}): run as its owner, or set SOS_HOME elsewhere"
        ) from error


def _create(path: Path) -> None:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".secrets-")  # mkstemp gives mode 0600
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(_generate()), file, indent=2)
            file.flush()
            os.fsync(file.fileno())
        try:
            path.hardlink_to(temporary)  # unlike a rename, never replaces what another start wrote
        except FileExistsError:
            return
    finally:
        temporary.unlink()


def _generate() -> Secrets:
    return Secrets(
        postgres_password=secrets.token_urlsafe(24),
        airflow_database_password=secrets.token_urlsafe(24),
        airflow_admin_password=secrets.token_urlsafe(12),
        airflow_fernet_key=base64.urlsafe_b64encode(os.urandom(32)).decode(),
        airflow_jwt_secret=secrets.token_urlsafe(48),
        airflow_api_secret_key=secrets.token_urlsafe(32),
    )


def _parse(path: Path) -> Secrets:
    try:
        stored = json.loads(path.read_text())
        return Secrets(**{item.name: str(stored[item.name]) for item in fields(Secrets)})
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidConfigurationError(
            f"{path} is damaged ({error}): restore it from a backup; without it the database cannot be opened"
        ) from error


def database_url(settings: Settings) -> str:
    """The platform's database as a libpq URL: `SOS_DATABASE_URL`, or the embedded server's database `sos`."""
    if settings.database_url is not None:
        return _with_scheme(urlsplit(str(settings.database_url)), "postgresql").geturl()
    password = load_or_create(settings).postgres_password
    return f"postgresql://sos:{password}@127.0.0.1:{settings.postgres_port}/sos"


def airflow_database_url(settings: Settings, environ: Mapping[str, str] = os.environ) -> str:
    """Airflow's metadata database as an SQLAlchemy URL.

    Airflow's own setting wins; else it is the database `airflow` on the platform's server, by psycopg 2, as
    Airflow recommends.
    """
    if own := environ.get(AIRFLOW_URL_VARIABLE):
        return own
    if settings.database_url is not None:
        parts = _with_scheme(urlsplit(str(settings.database_url)), "postgresql+psycopg2")
        return parts._replace(path=f"/{AIRFLOW_DATABASE}").geturl()
    password = load_or_create(settings).airflow_database_password
    return f"postgresql+psycopg2://airflow:{password}@127.0.0.1:{settings.postgres_port}/{AIRFLOW_DATABASE}"


def _with_scheme(parts: SplitResult, scheme: str) -> SplitResult:
    return parts._replace(scheme=scheme)
