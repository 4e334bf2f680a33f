"""How a poll is written: as a generator that asks for registers and is told the answer.

What to ask next depends only on what was answered, so it is decided without sockets or clocks; who drives the
generator decides when, and may let other devices of the same line go first.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from sos_ops.modbus.failures import ModbusReadError
from sos_ops.modbus.protocol_map import ReadFunction

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ask:
    """One request for `count` registers from `start` (on the wire, from 0)."""

    function: ReadFunction
    start: int
    count: int
    again: bool = False
    """A repeat of a request that failed. It can wait until other devices of the line have been read."""


Answer = list[int] | ModbusReadError
"""The registers, exactly as many as asked for, or why there are none."""

Asking = Generator[Ask, Answer, T]
"""Asks, is sent the answers, and returns a T."""
