from __future__ import annotations

import stat
from pathlib import Path

import pytest

from sos_ops.errors import SosOpsError
from sos_ops.stack.account import Account, make_readable, open_the_way

STRANGER = Account("stranger", 54321, 54321)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_closed_folder_is_opened_for_passing_only(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    open_folder = closed / "open"
    open_folder.mkdir(mode=0o755)
    changed = open_the_way([open_folder / "postgres"], STRANGER)
    assert closed in changed
    assert open_folder not in changed
    assert mode(closed) == 0o701
    assert mode(open_folder) == 0o755


def test_nothing_is_changed_the_second_time(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    open_the_way([tmp_path / "closed" / "x"], STRANGER)
    assert open_the_way([tmp_path / "closed" / "x"], STRANGER) == []


def test_what_a_strict_umask_closed_is_readable_and_programs_can_be_run(tmp_path: Path) -> None:
    tree = tmp_path / "pginstall18"
    tree.mkdir(mode=0o700)
    (tree / "postgres").touch(mode=0o700)
    (tree / "share").touch(mode=0o600)
    make_readable(tree, STRANGER)
    assert [mode(path) for path in (tree, tree / "postgres", tree / "share")] == [0o705, 0o705, 0o604]


def test_a_folder_that_cannot_be_opened_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)

    def refuse(self: Path, _mode: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(self))

    monkeypatch.setattr(Path, "chmod", refuse)
    with pytest.raises(SosOpsError, match=r"stranger.* cannot reach .*Operation not permitted"):
        open_the_way([closed / "x"], STRANGER)
