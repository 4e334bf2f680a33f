"""The account PostgreSQL runs as when the stack is started by root, as which the server refuses to run."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sos_ops.errors import SosOpsError

ACCOUNT = "sos-postgres"
FALLBACK = "nobody"


@dataclass(frozen=True)
class Account:
    """A system account."""

    name: str
    uid: int
    gid: int


def postgres_account() -> Account | None:
    """The account to run PostgreSQL as, created if need be; None when the stack itself is not run by root.

    Raises:
        SosOpsError: there is no account to use.
    """
    if os.geteuid() != 0:
        return None
    if not _exists(ACCOUNT):
        _create()
    for name in (ACCOUNT, FALLBACK):
        if _exists(name):
            entry = pwd.getpwnam(name)
            return Account(name, entry.pw_uid, entry.pw_gid)
    raise SosOpsError(
        f"PostgreSQL does not run as root and no account {ACCOUNT} can be made: start as an ordinary user"
    )


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _create() -> None:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        return
    shell = "/usr/sbin/nologin"
    command = [
        useradd,
        "--system",
        "--no-create-home",
        "--home-dir",
        "/nonexistent",
        "--shell",
        shell,
        ACCOUNT,
    ]
    subprocess.run(command, check=False, capture_output=True)  # noqa: S603  # where it fails, FALLBACK serves


def open_the_way(targets: Iterable[Path], account: Account) -> list[Path]:
    """Lets the account pass through every folder above the targets: adds others' search bit, nothing else.

    Returns:
        The folders that were changed.

    Raises:
        SosOpsError: a folder cannot be changed.
    """
    changed = []
    for folder in sorted({parent for target in targets for parent in target.resolve().parents}):
        status = folder.stat()
        if status.st_uid == account.uid or status.st_mode & stat.S_IXOTH:
            continue
        _add_mode(folder, status.st_mode, stat.S_IXOTH, account)
        changed.append(folder)
    return changed


def make_readable(tree: Path, account: Account) -> None:
    """Lets the account read all below a folder, and run what its owner may: a strict umask forbids both.

    Raises:
        SosOpsError: something cannot be changed.
    """
    for path in (tree, *tree.rglob("*")):
        mode = path.stat().st_mode
        wanted = stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0)
        if mode & wanted != wanted:
            _add_mode(path, mode, wanted, account)


def _add_mode(path: Path, mode: int, bits: int, account: Account) -> None:
    try:
        path.chmod(stat.S_IMODE(mode) | bits)
    except OSError as error:
        raise SosOpsError(
            f"The account {account.name}, as which PostgreSQL runs, cannot reach {path} ({error.strerror}): "
            "move the checkout and SOS_HOME to where others may pass, or start as an ordinary user"
        ) from error


def give_to(tree: Path, account: Account) -> None:
    """Makes the account the owner of a folder and all below it."""
    for path in (tree, *tree.rglob("*")):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def drop_to(account: Account) -> None:
    """Makes this process run as the account, for good.

    Raises:
        OSError: root may not change accounts here.
    """
    os.setgroups([account.gid])
    os.setgid(account.gid)
    os.setuid(account.uid)
