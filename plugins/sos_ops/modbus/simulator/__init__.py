"""Simulated devices behind a real Modbus TCP server.

The demo's BMS, a battery rack that lives on the platform's clock:

    scenario.py    what happens to the rack: its load, its room, its faults
    rack.py        the physics: state in, seconds and a feed, state out; no clock, no I/O
    sensors.py     what the BMS measures of a state, as the points of a protocol map
    life.py        a rack that follows a clock: speed-ups, clocks set back, long absences
    state_file.py  what outlives the process
    server.py      the rack as a Modbus unit
    __main__.py    `python -m sos_ops.modbus.simulator`, the process of `make up`

Any protocol map, with faults on request (`sos-ops modbus simulate`):

    map_server.py  the map as a Modbus unit, and `serve_map` for tests
    map_values.py  plausible values for its points
    faults.py      the faults there are, and how they are asked for
    mischief.py    what they do to an answer
    serial_line.py how long an RS485 bus takes

Both stand on:

    frames.py      requests taken apart, answers put together
    tcp_server.py  connections, units, the order of answers
    layout.py      which registers a map's device has

Nothing here is known to the poller: it reads the simulated BMS exactly as it reads a real one.
"""
