"""The supervisor of the stack's programs: its configuration, its start, and how it is spoken to.

It is `supervisord`, run in the foreground below `sos-ops up`, in a session of its own, so that a Ctrl-C
reaches it only through `sos-ops up`, which ends everything in order.
"""

from __future__ import annotations

import http.client
import os
import shlex
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sos_ops.errors import SosOpsError, UnknownNameError
from sos_ops.settings import Settings
from sos_ops.stack.layout import layout
from sos_ops.stack.programs import Program, program_environment, programs

SOCKET = "supervisor.sock"
STOPPED = frozenset({"STOPPED", "EXITED", "FATAL", "UNKNOWN"})
RUNNING = frozenset({"RUNNING", "STARTING", "BACKOFF"})

_NOT_RUNNING = 70  # supervisor's fault code for stopping what is not running
_ALREADY_STARTED = 60
_SHUTTING_DOWN = 6


class NotRunningError(SosOpsError):
    """The stack is not running."""


@dataclass(frozen=True)
class ProgramState:
    """How a program is doing."""

    name: str
    state: str
    """The supervisor's word: RUNNING, STARTING, BACKOFF (failing, tried again), STOPPED."""
    pid: int | None
    uptime_s: float


def supervisor_configuration(settings: Settings) -> str:
    """The supervisor's configuration file.

    Paths are relative to the folder it is run in: a socket's path may have 107 bytes only, and so nothing
    in `SOS_HOME` needs quoting.
    """
    user = ["user=root"] if os.geteuid() == 0 else []
    lines = [
        "[unix_http_server]",
        f"file={_socket_folder()}/{SOCKET}",
        "chmod=0700",
        "[supervisord]",
        *user,
        "nodaemon=true",
        "silent=true",
        "nocleanup=true",
        "minfds=256",
        "minprocs=1",
        "umask=077",
        "pidfile=supervisor.pid",
        "logfile=../logs/supervisor.log",
        "logfile_maxbytes=2MB",
        "logfile_backups=2",
        "childlogdir=../logs",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        "[rpcinterface:backoff]",
        "supervisor.rpcinterface_factory=sos_ops.stack.backoff:limit_backoff",
    ]
    for item in programs(settings):
        lines += _program_section(item)
    orders = sorted({item.stop_order for item in programs(settings)})
    for order in orders:
        names = ",".join(item.name for item in programs(settings) if item.stop_order == order)
        lines += [f"[group:{_group(order)}]", f"programs={names}", f"priority={order}"]
    return "\n".join(lines) + "\n"


def _socket_folder() -> str:
    # On Linux the kernel resolves this to the folder the supervisor runs in, however long its name.
    return "/proc/self/cwd" if Path("/proc/self/cwd").exists() else "."


def _group(order: int) -> str:
    return f"order-{order}"


def _program_section(item: Program) -> list[str]:
    command = shlex.join([sys.executable, "-m", "sos_ops.stack.launch", item.name]).replace("%", "%%")
    return [
        f"[program:{item.name}]",
        f"command={command}",
        "autostart=false",  # `sos-ops up` starts each when what it needs is there
        "autorestart=true",
        "startsecs=3",
        "startretries=1000000",
        f"stopsignal={item.stop_signal}",
        f"stopwaitsecs={item.stop_grace_s}",
        f"stopasgroup={str(item.stop_whole_group).lower()}",
        "killasgroup=true",
        "redirect_stderr=true",
        f"stdout_logfile=../logs/{item.name}.log",
        "stdout_logfile_maxbytes=5MB",
        "stdout_logfile_backups=3",
    ]


def start_supervisor(settings: Settings, deadline_s: float = 20.0) -> subprocess.Popen[bytes]:
    """Starts the supervisor, with no program running yet.

    Raises:
        SosOpsError: it does not come up.
    """
    folders = layout(settings)
    configuration = folders.run / "supervisor.conf"
    configuration.write_text(supervisor_configuration(settings))
    (folders.run / SOCKET).unlink(missing_ok=True)
    output = folders.logs / "supervisor-start.log"
    with output.open("w") as stream:
        process = subprocess.Popen(  # noqa: S603  # our own interpreter
            [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", configuration.name],
            cwd=folders.run,
            env=program_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + deadline_s
    while not is_running(settings):
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            process.wait()
            raise SosOpsError(f"The supervisor did not start: see {output}")
        time.sleep(0.05)
    return process


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over the supervisor's socket."""

    def __init__(self, folder: Path, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._folder = folder

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        if not Path("/proc/self/fd").exists():
            self.sock.connect(str(self._folder / SOCKET))
            return
        descriptor = os.open(self._folder, os.O_RDONLY)
        try:
            self.sock.connect(f"/proc/self/fd/{descriptor}/{SOCKET}")  # however long the folder's name
        finally:
            os.close(descriptor)


class _UnixTransport(xmlrpc.client.Transport):
    """XML-RPC over the supervisor's socket."""

    def __init__(self, folder: Path, timeout_s: float) -> None:
        super().__init__()
        self._folder = folder
        self._timeout_s = timeout_s

    def make_connection(self, host: Any) -> http.client.HTTPConnection:  # noqa: ARG002
        return _UnixConnection(self._folder, self._timeout_s)


@contextmanager
def _calls(settings: Settings, tolerated: int | None = None, timeout_s: float = 10.0) -> Iterator[Any]:
    transport = _UnixTransport(layout(settings).run, timeout_s)
    try:
        with xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport) as server:
            yield server.supervisor
    except xmlrpc.client.Fault as fault:
        if fault.faultCode == tolerated:
            return
        if fault.faultCode == _SHUTTING_DOWN:
            raise NotRunningError("The platform is just ending: start it again with `make up`") from fault
        raise SosOpsError(f"The supervisor refuses: {fault.faultString}") from fault
    except (OSError, http.client.HTTPException) as error:
        raise NotRunningError(
            f"The platform is not running ({settings.home}): start it with `make up`"
        ) from error


def is_running(settings: Settings) -> bool:
    """True when the supervisor answers, be it that it is just ending everything."""
    try:
        with _calls(settings, _SHUTTING_DOWN) as supervisor:
            supervisor.getState()
    except NotRunningError:
        return False
    return True


def program_states(settings: Settings) -> list[ProgramState]:
    """How every program is doing, in the order they are started.

    Raises:
        NotRunningError: the stack is not running.
    """
    with _calls(settings) as supervisor:
        rows = cast("list[dict[str, Any]]", supervisor.getAllProcessInfo())
    order = [item.name for item in programs(settings)]
    known = sorted((row for row in rows if row["name"] in order), key=lambda row: order.index(row["name"]))
    return [_state(row) for row in known]


def _state(row: dict[str, Any]) -> ProgramState:
    pid = int(row["pid"]) or None
    return ProgramState(row["name"], row["statename"], pid, float(row["now"] - row["start"]) if pid else 0.0)


def start_program(settings: Settings, name: str) -> None:
    """Starts a program, without waiting for it; one that runs is left alone.

    Raises:
        NotRunningError: the stack is not running.
        UnknownNameError: there is no such program.
    """
    with _calls(settings, _ALREADY_STARTED) as supervisor:
        supervisor.startProcess(_full_name(settings, name), False)


def stop_program(settings: Settings, name: str, *, wait: bool = True) -> None:
    """Ends a program; it stays ended until `start_program`.

    Raises:
        NotRunningError: the stack is not running.
        UnknownNameError: there is no such program.
    """
    with _calls(settings, _NOT_RUNNING, timeout_s=90.0) as supervisor:
        supervisor.stopProcess(_full_name(settings, name), wait)


def restart_program(settings: Settings, name: str) -> None:
    """Ends a program and starts it again."""
    stop_program(settings, name)
    start_program(settings, name)


def request_shutdown(settings: Settings) -> None:
    """Tells the supervisor to end every program, in order, and itself."""
    with _calls(settings, _SHUTTING_DOWN) as supervisor:
        supervisor.shutdown()


def _full_name(settings: Settings, name: str) -> str:
    for item in programs(settings):
        if item.name == name:
            return f"{_group(item.stop_order)}:{name}"
    names = ", ".join(item.name for item in programs(settings))
    raise UnknownNameError(f"There is no program {name}: choose one of {names}")
