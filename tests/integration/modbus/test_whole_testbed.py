"""The whole KETI testbed behind one converter at 9600 baud: read completely and right within the minute's budget.

The simulated line runs 4 times as fast, and the deadline is divided by the same factor: what must hold in 15 s
must hold here in 4.25 s. The test's own work is not sped up, so passing here is harder than passing there.
"""

from __future__ import annotations

import time

from sos_ops.clock import system_now
from sos_ops.modbus.minute_budget import QUICK_LANE_S, Fit, fit_of
from sos_ops.modbus.plan import plan_blocks, serial_seconds
from sos_ops.modbus.poll import DeviceAddress, DeviceJob, PollOutcome
from sos_ops.modbus.protocol_map import bundled_map
from sos_ops.modbus.reader import poll_devices
from sos_ops.modbus.simulator.map_server import Simulation, serve_map
from sos_ops.modbus.simulator.map_values import value_of

MAP = bundled_map("keti_testbed")
BAUD, TURNAROUND_S = 9600, 0.05
SPEED_UP = 4.0
SEED = 11


def test_it_is_read_completely_and_right_within_the_budget() -> None:
    line = Simulation(
        MAP, seed=SEED, baud=BAUD, turnaround_s=TURNAROUND_S, speed_up=SPEED_UP, now=lambda: 0.0
    )
    with serve_map(line) as device:
        job = DeviceJob(DeviceAddress("testbed", "127.0.0.1", device.port), MAP)
        began = time.monotonic()
        (result,) = poll_devices([job], QUICK_LANE_S / SPEED_UP, system_now)
        took_s = time.monotonic() - began
        requests = device.requests
    assert result.outcome is PollOutcome.COMPLETE, result.reason
    assert requests == len(plan_blocks(MAP))
    # No faster than the line: it really was paced.
    assert took_s >= serial_seconds(plan_blocks(MAP), BAUD, TURNAROUND_S) / SPEED_UP
    read = {reading.point: reading.value for reading in result.points}
    assert set(read) == set(MAP.points_by_name)
    for point in MAP.points:
        value = read[point.name]
        assert value is not None, point.name
        assert abs(value - value_of(point, SEED, 0.0)) <= float(abs(point.scale)) * 0.501, point.name


def test_the_plan_says_so_beforehand() -> None:
    seconds = serial_seconds(plan_blocks(MAP), BAUD, TURNAROUND_S)
    assert 7.0 < seconds < 8.5
    assert fit_of(seconds) is Fit.QUICK


def test_at_1200_baud_the_plan_says_that_it_does_not_fit() -> None:
    assert fit_of(serial_seconds(plan_blocks(MAP), 1200, TURNAROUND_S)) is Fit.NOT
