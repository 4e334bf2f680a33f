"""Frames gone wrong on the way: what a bad gateway, a shared line or a broken converter makes of an answer.

Modbus TCP has no checksum. An answer whose registers alone were changed is a good answer to whoever receives it, so
headers, lengths and the order of bytes are mutated here, and what by chance differs in its registers only is told
apart by `differs_only_in_registers`.
"""

from __future__ import annotations

import random
from collections.abc import Callable

HEADER_BYTES = 9

Mutation = Callable[[random.Random, bytes, bytes], bytes]
"""Of chance, the good frame, and the answer to another request."""


def flip_a_header_bit(chance: random.Random, frame: bytes, _: bytes) -> bytes:
    mutated = bytearray(frame)
    mutated[chance.randrange(HEADER_BYTES)] ^= 1 << chance.randrange(8)
    return bytes(mutated)


def other_header(chance: random.Random, frame: bytes, _: bytes) -> bytes:
    return chance.randbytes(HEADER_BYTES) + frame[HEADER_BYTES:]


def truncated(chance: random.Random, frame: bytes, _: bytes) -> bytes:
    return frame[: chance.randrange(len(frame))]


def beginning_lost(chance: random.Random, frame: bytes, _: bytes) -> bytes:
    return frame[chance.randrange(1, len(frame)) :]


def answered_twice(_: random.Random, frame: bytes, __: bytes) -> bytes:
    return frame * 2


def behind_another(_: random.Random, frame: bytes, other: bytes) -> bytes:
    return other + frame


def before_another(_: random.Random, frame: bytes, other: bytes) -> bytes:
    return frame + other


def another_alone(_: random.Random, __: bytes, other: bytes) -> bytes:
    return other


def spliced(chance: random.Random, frame: bytes, other: bytes) -> bytes:
    return frame[: chance.randrange(len(frame))] + other[chance.randrange(len(other)) :]


def spliced_the_other_way(chance: random.Random, frame: bytes, other: bytes) -> bytes:
    return spliced(chance, other, frame)


def a_piece_twice(chance: random.Random, frame: bytes, _: bytes) -> bytes:
    begin = chance.randrange(len(frame))
    end = chance.randrange(begin + 1, len(frame) + 1)
    return frame[:end] + frame[begin:]


def a_piece_lost(chance: random.Random, frame: bytes, _: bytes) -> bytes:
    begin = chance.randrange(len(frame))
    return frame[:begin] + frame[chance.randrange(begin + 1, len(frame) + 1) :]


def noise_inside(chance: random.Random, frame: bytes, _: bytes) -> bytes:
    where = chance.randrange(len(frame) + 1)
    return frame[:where] + chance.randbytes(chance.randrange(1, 6)) + frame[where:]


MUTATIONS: tuple[Mutation, ...] = (
    flip_a_header_bit,
    other_header,
    truncated,
    beginning_lost,
    answered_twice,
    behind_another,
    before_another,
    another_alone,
    spliced,
    spliced_the_other_way,
    a_piece_twice,
    a_piece_lost,
    noise_inside,
)


def differs_only_in_registers(stream: bytes, frame: bytes) -> bool:
    """Whether a reader who stops after one frame's length sees the right header and other registers."""
    seen = stream[: len(frame)]
    return len(seen) == len(frame) and seen[:HEADER_BYTES] == frame[:HEADER_BYTES] and seen != frame


def in_chunks(chance: random.Random, stream: bytes) -> list[bytes]:
    """The stream as TCP may hand it over."""
    chunks = []
    while stream:
        size = chance.choice((1, 2, 7, 9, 40, 300))
        chunks.append(stream[:size])
        stream = stream[size:]
    return chunks
