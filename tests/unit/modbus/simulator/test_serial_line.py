"""The simulated line takes as long as the plan says it does."""

from __future__ import annotations

import pytest

from sos_ops.modbus.plan import plan_blocks, serial_seconds
from sos_ops.modbus.protocol_map import bundled_map
from sos_ops.modbus.simulator.serial_line import SerialLine


@pytest.mark.parametrize("name", ["keti_testbed", "demo_rack"])
@pytest.mark.parametrize("baud", [1200, 9600, 19200, 115200])
@pytest.mark.parametrize("turnaround_s", [0.0, 0.05])
def test_the_line_and_the_plan_agree_on_the_seconds(name: str, baud: int, turnaround_s: float) -> None:
    blocks = plan_blocks(bundled_map(name))
    line = SerialLine(baud, turnaround_s)
    # PDUs: function, address and count; function, byte count and registers.
    waited = sum(line.seconds(request_bytes=5, answer_bytes=2 + 2 * block.count) for block in blocks)
    assert waited == pytest.approx(serial_seconds(blocks, baud, turnaround_s))


def test_125_registers_at_9600_baud_take_about_a_third_of_a_second() -> None:
    # 8 + 255 characters and two silences of 3.5, each of 11 bits.
    assert SerialLine(9600).seconds(5, 252) == pytest.approx(270 * 11 / 9600)
