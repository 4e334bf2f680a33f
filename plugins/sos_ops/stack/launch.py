"""What the supervisor runs for each program: `python -m sos_ops.stack.launch NAME` becomes that program.

Before, it ends what a killed predecessor left behind (the workers of a killed scheduler would stay for ever),
and waits for the database where the program needs one. Secrets reach the program by its environment alone.
"""

from __future__ import annotations

import os
import sys
import time

from sos_ops.errors import SosOpsError
from sos_ops.settings import Settings, get_settings
from sos_ops.stack.embedded_postgres import become_server, wait_until_ready
from sos_ops.stack.health import airflow_health
from sos_ops.stack.processes import end, stack_pids
from sos_ops.stack.programs import POSTGRES, Program, program, program_command, program_environment
from sos_ops.stack.secrets import database_url

DEADLINE_S = 60.0


def launch(name: str) -> None:
    """Turns this process into the program. Does not return.

    Raises:
        SosOpsError: the program cannot be started yet, or not at all.
    """
    settings = get_settings()
    if name == POSTGRES:
        become_server(settings)
    item = program(settings, name)
    end(stack_pids(settings, name), grace_s=3)
    wait_for_needs(settings, item)
    command = program_command(item)
    os.execve(command[0], command, program_environment(settings, name))  # noqa: S606  # our own command


def wait_for_needs(settings: Settings, item: Program) -> None:
    """Returns when what the program needs at its start is there.

    Raises:
        SosOpsError: it was not within a minute.
    """
    if item.needs_database:
        wait_until_ready(database_url(settings), DEADLINE_S)
    if item.needs_api:
        _wait_for_api(settings)


def _wait_for_api(settings: Settings) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while airflow_health(settings) is None:
        if time.monotonic() > deadline:
            raise SosOpsError(f"Airflow's API did not answer within {DEADLINE_S:.0f} s: see its log")
        time.sleep(0.2)


if __name__ == "__main__":
    try:
        launch(sys.argv[1])
    except SosOpsError as error:
        sys.exit(str(error))
