"""Which protocol map a name in a DAG or a connection means."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sos_ops.errors import UnknownNameError
from sos_ops.hooks.database import CONNECTION_ID, task_connection
from sos_ops.modbus.protocol_map import bundled_map, bundled_map_names, load_map

if TYPE_CHECKING:
    from sos_ops.modbus.protocol_map import ProtocolMap

FILE_ENDINGS = (".yaml", ".yml")


def is_file(name: str) -> bool:
    """True for what means a file: names of maps have neither dots nor slashes."""
    return name.endswith(FILE_ENDINGS) or "/" in name


def find_map(name: str, postgres_conn_id: str = CONNECTION_ID) -> ProtocolMap:
    """A file's map, or else the newest of that name in the platform's database, or else the one that was shipped.

    The database goes first because the platform's own polls read with what is there. When it does not answer, no
    map is chosen: the shipped one may be older than what the devices are read with.

    Raises:
        InvalidConfigurationError: The file cannot be used; says where and why.
        UnknownNameError: There is no map of that name.
        DatabaseUnavailableError: The platform's database does not answer.
    """
    if is_file(name):
        return load_map(Path(name).expanduser())
    stored = _stored_map(name, postgres_conn_id)
    if stored is not None:
        return stored
    if name in bundled_map_names():
        return bundled_map(name)
    raise UnknownNameError(
        f"no protocol map {name!r}: `sos-ops modbus maps` lists them; a file's name ends in .yaml"
    )


def _stored_map(name: str, postgres_conn_id: str) -> ProtocolMap | None:
    from airflow.sdk.exceptions import AirflowNotFoundException

    from sos_ops.store.maps import newest_map

    try:
        with task_connection(postgres_conn_id) as connection:
            return newest_map(connection, name).protocol_map
    except AirflowNotFoundException:
        return None  # an Airflow without the platform
    except UnknownNameError:
        return None
