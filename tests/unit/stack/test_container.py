from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from sos_ops.errors import SosOpsError
from sos_ops.stack import container
from sos_ops.stack.container import Keeper, keep, main
from sos_ops.stack.programs import Program

from .conftest import MakeSettings

DEADLINE_S = 20.0
WORKING = "import time; time.sleep(60)"


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


class Life:
    """A program in a container, and what is seen from outside."""

    def __init__(self, folder: Path) -> None:
        self.seen = folder / "works"
        self.note = folder / "note"
        self.works = True
        self.failing = False

    def run(self, code: str, *, grace_s: int = 10) -> int:
        """Lives until it ends; the exit status."""
        keeper = Keeper(
            Program("dashboard", "page", 20, stop_grace_s=grace_s),
            [sys.executable, "-c", code],
            {**os.environ, "NOTE": str(self.note)},
            works=lambda _: self.works,
            is_failing=lambda _: self.failing,
            seen=self.seen,
            look_every_s=0.02,
            patience=timedelta(seconds=0.2),
        )
        return keeper.run()

    def meanwhile(self, act: Callable[[], None]) -> threading.Thread:
        """Does something once the program is seen to work and has written its note."""

        def wait_and_act() -> None:
            wait_for(lambda: self.seen.exists() and self.note.exists())
            act()

        thread = threading.Thread(target=wait_and_act)
        thread.start()
        return thread


NOTING = "import os, pathlib, signal, sys, time\nnote = pathlib.Path(os.environ['NOTE'])\n"
SETTLED = "note.touch()\ntime.sleep(60)\n"


@pytest.fixture
def life(tmp_path: Path) -> Iterator[Life]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield Life(tmp_path)
    for number, handler in before.items():
        signal.signal(number, handler)


def ask_to_end() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def test_the_container_ends_as_its_program_does(life: Life) -> None:
    assert life.run("import sys; sys.exit(3)") == 3


def test_a_program_that_is_killed_shows_the_signal(life: Life) -> None:
    assert life.run("import os, signal; os.kill(os.getpid(), signal.SIGKILL)") == 128 + signal.SIGKILL


def test_a_program_that_is_asked_to_end_does_so_in_its_own_way(life: Life) -> None:
    code = "def stop(*_):\n note.write_text('saved')\n sys.exit(0)\nsignal.signal(signal.SIGTERM, stop)\n"
    thread = life.meanwhile(ask_to_end)
    assert life.run(NOTING + code + SETTLED) == 0
    thread.join()
    assert life.note.read_text() == "saved"


def test_a_program_that_will_not_end_is_killed_after_its_grace(life: Life) -> None:
    thread = life.meanwhile(ask_to_end)
    started = time.monotonic()
    status = life.run(NOTING + "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + SETTLED, grace_s=1)
    thread.join()
    assert status == 0
    assert 1 <= time.monotonic() - started < DEADLINE_S


def test_a_program_that_lives_but_does_not_work_is_ended_for_docker_to_start_anew(life: Life) -> None:
    life.works, life.failing = False, True
    assert life.run(WORKING) == 1


def test_one_that_only_looks_ill_is_left_running(life: Life) -> None:
    code = NOTING + "note.touch()\ntime.sleep(1)\nsys.exit(5)"
    life.works = False
    assert life.run(code) == 5


def test_health_is_shown_only_while_the_program_works(life: Life) -> None:
    def fall_ill_and_end() -> None:
        life.works = False
        wait_for(lambda: not life.seen.exists())
        life.works = True
        wait_for(life.seen.exists)
        ask_to_end()

    thread = life.meanwhile(fall_ill_and_end)
    assert life.run(NOTING + SETTLED) == 0
    thread.join()
    assert not life.seen.exists()


def test_a_health_sign_of_an_earlier_life_does_not_count(life: Life) -> None:
    life.seen.touch()
    life.works = False
    code = f"import pathlib, sys; sys.exit(pathlib.Path({str(life.seen)!r}).exists())"
    assert life.run(code) == 0


def test_an_unknown_program_is_refused_with_the_names_of_all(make_settings: MakeSettings) -> None:
    settings = make_settings(database_url="postgresql://sos@db/sos")
    with pytest.raises(SosOpsError, match="prepare, bms, airflow-api-server"):
        keep(settings, "dashbord")


def test_the_supervisors_watchdog_and_embedded_server_have_no_container(make_settings: MakeSettings) -> None:
    settings = make_settings(database_url="postgresql://sos@db/sos")
    for name in ("watchdog", "postgres"):
        with pytest.raises(SosOpsError, match="no program"):
            keep(settings, name)


def test_without_a_server_the_person_is_told_what_to_set(
    make_settings: MakeSettings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(container, "get_settings", make_settings)
    assert main(["dashboard"]) == 1
    assert "SOS_DATABASE_URL" in capsys.readouterr().err
    assert main([]) == 1
    assert "NAME" in capsys.readouterr().err
