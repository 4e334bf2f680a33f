"""One Airflow pool with one slot for each shared bus: a gateway has one line, whoever's DAG uses it.

A pool is made when it is missing and then left alone: a person may set its slots to 0 for as long as
somebody works on the line, and pools of buses no longer named may still be used by others.

Run as `python -m sos_ops.stack.pools NAME ...` it makes those pools, in the environment of an Airflow program.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence

import psycopg

from sos_ops.errors import SosOpsError
from sos_ops.settings import Settings
from sos_ops.stack.layout import layout
from sos_ops.stack.secrets import AIRFLOW_URL_VARIABLE

DESCRIPTION = "One RS485 line behind a gateway: one task at a time (SOS_SHARED_BUSES)"


def ensure_pools(settings: Settings, environment: Mapping[str, str]) -> list[str]:
    """Makes the pools that the shared buses need and Airflow does not have yet.

    Args:
        settings: the stack; Airflow's tables must be there.
        environment: the environment of the stack's Airflow programs.

    Returns:
        The pools that were missing; Airflow is started, which takes some seconds, only when there are any.

    Raises:
        SosOpsError: Airflow could not make them.
    """
    wanted = [bus.pool for bus in settings.buses]
    known = _known(environment[AIRFLOW_URL_VARIABLE]) if wanted else set()
    missing = [name for name in wanted if name not in known]
    if not missing:
        return []
    log = layout(settings).log_of("airflow-pools")
    with log.open("w") as output:
        done = subprocess.run(  # noqa: S603  # our own interpreter; names are of letters, digits and _
            [sys.executable, "-m", "sos_ops.stack.pools", *missing],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=dict(environment),
            cwd=layout(settings).run,
        )
    if done.returncode != 0:
        raise SosOpsError(f"the pools of the shared buses could not be made: see {log}")
    return missing


def _known(url: str) -> set[str]:
    scheme, _, rest = url.partition("://")
    if not scheme.startswith("postgres"):
        return set()  # no way to ask; Airflow itself leaves alone what exists
    try:
        with psycopg.connect(f"postgresql://{rest}", connect_timeout=5) as connection:
            return {str(name) for (name,) in connection.execute("select pool from slot_pool")}
    except psycopg.Error:
        return set()


def make_pools(names: Sequence[str]) -> None:
    """Makes those that do not exist, in the metadata database of this process's Airflow."""
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session

    with create_session() as session:
        for name in names:
            if Pool.get_pool(name, session=session) is None:
                Pool.create_or_update_pool(name, 1, DESCRIPTION, include_deferred=True, session=session)


if __name__ == "__main__":
    make_pools(sys.argv[1:])
