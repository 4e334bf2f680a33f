"""A fault is asked for in one word, and what is no fault is refused with the way to write it."""

from __future__ import annotations

import pytest

from sos_ops.errors import InvalidConfigurationError
from sos_ops.modbus.simulator.faults import KINDS, Fault, Takes, parse_fault


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("drop:0.05", Fault("drop", probability=0.05)),
        ("drop", Fault("drop")),
        ("late:2", Fault("late", 2.0)),
        ("late:2:0.1", Fault("late", 2.0, probability=0.1)),
        ("drip:1", Fault("drip", 1.0)),
        ("exception:2@1004", Fault("exception", 2.0, registers=(1004, 1004))),
        ("exception:6@1004-1010:0.5", Fault("exception", 6.0, registers=(1004, 1010), probability=0.5)),
        ("busy@7:0.5", Fault("busy", registers=(7, 7), probability=0.5)),
        ("wrong-tid:0.02", Fault("wrong-tid", probability=0.02)),
        ("not-implemented:soc", Fault("not-implemented", point="soc")),
        ("word-swap", Fault("word-swap")),
        ("word-swap:energy", Fault("word-swap", point="energy")),
        ("shift:1", Fault("shift", 1.0)),
        ("shift:-1", Fault("shift", -1.0)),
        ("one-connection", Fault("one-connection")),
    ],
)
def test_a_fault_is_read_as_it_is_written(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "NAME"),
        ("flood", "there are drop, late"),
        ("late", "late:2"),
        ("late:soon", "no number"),
        ("late:-2", "not negative"),
        ("drop:2", "0 to 1"),
        ("drop:often", "probability"),
        ("drop:0.5:0.5", "nothing but a probability"),
        ("exception:2.5", "no such number"),
        ("exception:0", "no such number"),
        ("exception@7", "exception:2@1004"),
        ("not-implemented", "not-implemented:POINT"),
        ("stuck:soc:0.5", "always holds"),
        ("holes@7", "always holds"),
    ],
)
def test_what_is_no_fault_is_refused_in_one_line_that_says_how(text: str, says: str) -> None:
    with pytest.raises(InvalidConfigurationError) as refused:
        parse_fault(text)
    assert says in str(refused.value)
    assert "\n" not in str(refused.value)


def test_every_fault_tells_what_it_does() -> None:
    for name, kind in KINDS.items():
        argument = {Takes.SECONDS: ":1", Takes.CODE: ":2", Takes.REGISTERS: ":1", Takes.POINT: ":soc"}
        assert kind.does in str(parse_fault(name + argument.get(kind.takes, "")))
