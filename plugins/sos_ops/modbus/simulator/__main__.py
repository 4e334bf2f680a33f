"""The simulated BMS as a process: `python -m sos_ops.modbus.simulator`.

It lives on the platform's clock, listens on `SOS_BIND` at `SOS_MODBUS_PORT`, plays `SOS_SCENARIO`, and keeps
its rack under `SOS_HOME`. SIGTERM and Ctrl-C save the rack and end it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys

from sos_ops.errors import SosOpsError
from sos_ops.modbus.protocol_map import bundled_map
from sos_ops.modbus.simulator.server import serve_rack
from sos_ops.settings import Settings, get_settings
from sos_ops.stack.secrets import database_url
from sos_ops.store.clock import DatabaseClock

log = logging.getLogger("sos_ops.modbus.simulator")

UNIT_ID = 1
MAP_NAME = "demo_rack"


async def serve(settings: Settings, clock: DatabaseClock) -> None:
    """Serve until SIGTERM or SIGINT."""
    serving = asyncio.ensure_future(
        serve_rack(
            host=settings.bind,
            port=settings.modbus_port,
            unit_id=UNIT_ID,
            protocol_map=bundled_map(MAP_NAME),
            scenario=settings.scenario,
            now=clock.now,
            state_dir=settings.home / "bms",
            on_listening=lambda: log.info(
                "unit %d on %s:%d, scenario %s",
                UNIT_ID,
                settings.bind,
                settings.modbus_port,
                settings.scenario.value,
            ),
        )
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, serving.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await serving


def main() -> int:
    """Run the simulated BMS; the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    # A failed listen and every exception sent are reported by this program, or are what was asked for.
    logging.getLogger("pymodbus").setLevel(logging.CRITICAL)
    settings = get_settings()
    try:
        clock = DatabaseClock(database_url(settings))
        try:
            asyncio.run(serve(settings, clock))
        finally:
            clock.close()
    except SosOpsError as error:
        print(f"simulated BMS: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
