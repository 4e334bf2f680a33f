"""The simulated BMS: a battery rack that lives on the platform's clock behind a real Modbus TCP server.

    scenario.py    what happens to the rack: its load, its room, its faults
    rack.py        the physics: state in, seconds and a feed, state out; no clock, no I/O
    sensors.py     what the BMS measures of a state, as the points of a protocol map
    life.py        a rack that follows a clock: speed-ups, clocks set back, long absences
    state_file.py  what outlives the process
    server.py      the Modbus TCP server
    __main__.py    `python -m sos_ops.modbus.simulator`, the process of `make up`

Nothing here is known to the poller: it reads the simulated BMS exactly as it reads a real one.
"""
