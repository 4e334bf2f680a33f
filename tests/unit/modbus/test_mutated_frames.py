"""100,000 answers gone wrong: each yields exactly the right registers or an error, never others."""

from __future__ import annotations

import asyncio
import random
import struct
from collections import Counter
from functools import partial

import pytest

from sos_ops.modbus.answer import ReadRequest, UnacceptableAnswerError, judge_answer
from sos_ops.modbus.link import Link, frame_of
from tests.support.mutation import MUTATIONS, differs_only_in_registers, in_chunks

FRAMES = 100_000


def some_request(chance: random.Random) -> tuple[ReadRequest, bytes, list[int]]:
    request = ReadRequest(
        chance.randrange(1, 65536),
        chance.randrange(1, 248),
        chance.choice((3, 4)),
        0,
        chance.randrange(1, 20),
    )
    registers = [chance.randrange(65536) for _ in range(request.count)]
    head = struct.pack(
        ">HHHBBB",
        *(request.transaction_id, 0, 3 + 2 * request.count, request.unit_id, request.function_code),
        2 * request.count,
    )
    return request, head + struct.pack(f">{request.count}H", *registers), registers


class Wire(asyncio.Transport):
    """A connection in memory: what is written is answered at once with what is to come."""

    def __init__(self, link: Link, chunks: list[bytes]) -> None:
        super().__init__()
        self._link, self._chunks = link, chunks

    def write(self, data: bytes | bytearray | memoryview) -> None:  # noqa: ARG002
        for chunk in self._chunks:
            self._link.data_received(chunk)
        self._link.connection_lost(None)

    def abort(self) -> None:
        """Nothing is left to close."""


async def received(request: ReadRequest, chunks: list[bytes]) -> list[int] | None:
    link = Link()
    link.connection_made(Wire(link, chunks))
    try:
        return await link.exchange(frame_of(request), partial(judge_answer, request), 60)
    except UnacceptableAnswerError:
        return None


def judged(request: ReadRequest, stream: bytes) -> list[int] | None:
    try:
        return judge_answer(request, stream)
    except UnacceptableAnswerError:
        return None


@pytest.mark.timeout(120)
def test_a_hundred_thousand_mutated_answers_yield_the_right_registers_or_none() -> None:
    async def all_of_them() -> Counter[str]:
        chance = random.Random(7305)  # noqa: S311
        seen: Counter[str] = Counter()
        other = some_request(chance)[1]
        while seen["frames"] < FRAMES:
            request, frame, registers = some_request(chance)
            stream = chance.choice(MUTATIONS)(chance, frame, other)
            other = frame
            if differs_only_in_registers(stream, frame):
                seen["not to be told from a good answer"] += 1
                continue
            seen["frames"] += 1
            for answer in (judged(request, stream), await received(request, in_chunks(chance, stream))):
                assert answer is None or answer == registers, (request, stream.hex())
                seen["answered" if answer else "refused"] += 1
        return seen

    seen = asyncio.run(all_of_them())
    assert seen["not to be told from a good answer"] < FRAMES / 5
    assert seen["refused"] > FRAMES
    assert seen["answered"] > 0  # a good frame in pieces, with rubbish only after it was complete


def test_good_answers_in_any_pieces_are_read() -> None:
    async def all_of_them() -> None:
        chance = random.Random(1)  # noqa: S311
        for _ in range(2000):
            request, frame, registers = some_request(chance)
            assert await received(request, in_chunks(chance, frame)) == registers

    asyncio.run(all_of_them())
