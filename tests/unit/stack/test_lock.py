from __future__ import annotations

import os

import pytest

from sos_ops.errors import SosOpsError
from sos_ops.stack.layout import layout
from sos_ops.stack.lock import holder, stack_lock

from .conftest import MakeSettings


def test_a_second_start_is_refused_and_names_the_first(make_settings: MakeSettings) -> None:
    settings = make_settings()
    layout(settings).create()
    with (
        stack_lock(settings),
        pytest.raises(SosOpsError, match=rf"already running here \(process {os.getpid()}\).*sos-ops down"),
        stack_lock(settings),
    ):
        pytest.fail("two starts held the lock")


def test_the_lock_is_free_again_when_its_holder_is_gone(make_settings: MakeSettings) -> None:
    settings = make_settings()
    layout(settings).create()
    with stack_lock(settings):
        assert holder(settings) == os.getpid()
    assert holder(settings) is None
    with stack_lock(settings):
        pass


def test_nobody_holds_the_lock_of_a_home_that_was_never_started(make_settings: MakeSettings) -> None:
    assert holder(make_settings()) is None
