"""Judging answers: no byte that could contradict the request goes unread."""

from __future__ import annotations

import struct

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU

from sos_ops.modbus.answer import (
    ReadRequest,
    UnacceptableAnswerError,
    WriteRequest,
    judge_answer,
    judge_echo,
)
from sos_ops.modbus.failures import FailureReason

HEADER_BYTES = 9
"""Transaction id, protocol id, length, unit, function and byte count: all that a request determines."""


def answer_to(request: ReadRequest, registers: list[int]) -> bytes:
    payload = struct.pack(f">BB{len(registers)}H", request.function_code, 2 * len(registers), *registers)
    return struct.pack(">HHHB", request.transaction_id, 0, len(payload) + 1, request.unit_id) + payload


@st.composite
def requests_with_registers(draw: st.DrawFn) -> tuple[ReadRequest, list[int]]:
    content = draw(st.binary(min_size=2, max_size=250).map(lambda data: data[: len(data) // 2 * 2]))
    registers = list(struct.unpack(f">{len(content) // 2}H", content))
    request = ReadRequest(
        transaction_id=draw(st.integers(1, 65000)),
        unit_id=draw(st.integers(0, 255)),
        function_code=draw(st.sampled_from([3, 4])),
        address=draw(st.integers(0, 65535 - 125)),
        count=len(registers),
    )
    return request, registers


@given(requests_with_registers())
def test_the_answer_is_its_registers_and_pymodbus_reads_the_same(
    exchange: tuple[ReadRequest, list[int]],
) -> None:
    request, registers = exchange
    frame = answer_to(request, registers)
    assert judge_answer(request, frame) == registers
    used, pdu = FramerSocket(DecodePDU(False)).handleFrame(frame, request.unit_id, request.transaction_id)
    assert used == len(frame)
    assert pdu is not None
    assert list(pdu.registers) == registers


@given(requests_with_registers())
def test_every_beginning_of_the_answer_is_waited_upon(exchange: tuple[ReadRequest, list[int]]) -> None:
    request, registers = exchange
    frame = answer_to(request, registers)
    assert [judge_answer(request, frame[:size]) for size in range(len(frame))] == [None] * len(frame)


@settings(max_examples=1000, deadline=None)
@given(requests_with_registers(), st.integers(0, HEADER_BYTES - 1), st.integers(1, 255))
def test_no_changed_byte_of_the_header_yields_registers(
    exchange: tuple[ReadRequest, list[int]], where: int, flip: int
) -> None:
    request, registers = exchange
    frame = bytearray(answer_to(request, registers))
    frame[where] ^= flip
    with pytest.raises(UnacceptableAnswerError):
        judge_answer(request, bytes(frame))


@settings(max_examples=1000, deadline=None)
@given(requests_with_registers(), st.binary(min_size=HEADER_BYTES, max_size=HEADER_BYTES))
def test_no_other_header_yields_registers(exchange: tuple[ReadRequest, list[int]], header: bytes) -> None:
    request, registers = exchange
    frame = answer_to(request, registers)
    if header != frame[:HEADER_BYTES]:
        with pytest.raises(UnacceptableAnswerError):
            judge_answer(request, header + frame[HEADER_BYTES:])


@settings(max_examples=1000, deadline=None)
@given(
    requests_with_registers(),
    st.lists(
        st.tuples(st.sampled_from(["cut", "insert", "drop"]), st.integers(0, 300), st.binary(max_size=4)),
        max_size=4,
    ),
)
def test_any_mangled_frame_is_an_error_or_awaited_or_shows_exactly_the_bytes_it_carries(
    exchange: tuple[ReadRequest, list[int]], edits: list[tuple[str, int, bytes]]
) -> None:
    request, registers = exchange
    frame = answer_to(request, registers)
    for what, where, data in edits:
        if what == "cut":
            frame = frame[:where]
        elif what == "insert":
            frame = frame[:where] + data + frame[where:]
        else:
            frame = frame[:where] + frame[where + 1 :]
    try:
        judged = judge_answer(request, frame)
    except UnacceptableAnswerError:
        return
    if judged is not None:
        assert frame[:HEADER_BYTES] == answer_to(request, registers)[:HEADER_BYTES]
        assert frame[HEADER_BYTES:] == struct.pack(f">{request.count}H", *judged)


@given(requests_with_registers(), st.binary(min_size=1, max_size=300))
def test_bytes_after_the_answer_spoil_it(exchange: tuple[ReadRequest, list[int]], more: bytes) -> None:
    request, registers = exchange
    with pytest.raises(UnacceptableAnswerError) as raised:
        judge_answer(request, answer_to(request, registers) + more)
    assert raised.value.reason is FailureReason.MALFORMED


@given(requests_with_registers(), st.lists(st.integers(0, 0xFFFF), max_size=125))
def test_an_answer_of_another_number_of_registers_is_short_or_long_however_well_formed(
    exchange: tuple[ReadRequest, list[int]], other_registers: list[int]
) -> None:
    request, registers = exchange
    assume(len(other_registers) != len(registers))
    with pytest.raises(UnacceptableAnswerError) as raised:
        judge_answer(request, answer_to(request, other_registers))
    short = len(other_registers) < len(registers)
    assert raised.value.reason is (FailureReason.SHORT_ANSWER if short else FailureReason.LONG_ANSWER)


@given(requests_with_registers(), requests_with_registers())
def test_the_answer_to_one_request_is_none_to_another(
    one: tuple[ReadRequest, list[int]], other: tuple[ReadRequest, list[int]]
) -> None:
    assume(one[0].transaction_id != other[0].transaction_id)
    with pytest.raises(UnacceptableAnswerError) as raised:
        judge_answer(other[0], answer_to(*one))
    assert raised.value.reason is FailureReason.WRONG_TRANSACTION


@pytest.mark.parametrize(
    ("code", "reason", "text"),
    [
        (2, FailureReason.EXCEPTION_2, "answered exception 2 (illegal data address)"),
        (11, FailureReason.EXCEPTION_11, "answered exception 11 (no answer behind the gateway)"),
        (0, FailureReason.EXCEPTION_OTHER, "answered exception 0 (not in the standard)"),
        (200, FailureReason.EXCEPTION_OTHER, "answered exception 200 (not in the standard)"),
    ],
)
def test_an_exception_answer_is_told_by_its_code(code: int, reason: FailureReason, text: str) -> None:
    request = ReadRequest(7, 1, 4, 0, 2)
    with pytest.raises(UnacceptableAnswerError) as raised:
        judge_answer(request, struct.pack(">HHHBBB", 7, 0, 3, 1, 0x84, code))
    assert (raised.value.reason, raised.value.detail) == (reason, text)


def test_an_exception_answer_of_another_function_or_length_is_none() -> None:
    request = ReadRequest(7, 1, 4, 0, 2)
    for frame in (
        struct.pack(">HHHBBB", 7, 0, 3, 1, 0x83, 2),
        struct.pack(">HHHBBBB", 7, 0, 4, 1, 0x84, 2, 0),
    ):
        with pytest.raises(UnacceptableAnswerError) as raised:
            judge_answer(request, frame)
        assert not raised.value.reason.is_exception


@given(st.integers(1, 65535), st.integers(0, 255), st.integers(0, 65535), st.integers(0, 65535), st.data())
def test_only_the_exact_echo_confirms_a_write(
    transaction_id: int, unit_id: int, address: int, value: int, data: st.DataObject
) -> None:
    request = WriteRequest(transaction_id, unit_id, address, value)
    echo = struct.pack(">HHHBBHH", transaction_id, 0, 6, unit_id, 6, address, value)
    assert judge_echo(request, echo) is True
    assert {judge_echo(request, echo[:size]) for size in range(len(echo))} == {None}
    changed = bytearray(echo)
    changed[data.draw(st.integers(0, len(echo) - 1))] ^= data.draw(st.integers(1, 255))
    for wrong in (bytes(changed), echo + b"\x00"):
        with pytest.raises(UnacceptableAnswerError):
            judge_echo(request, wrong)
