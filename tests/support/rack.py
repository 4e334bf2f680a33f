"""The simulated BMS served in a thread of the test."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sos_ops.clock import Now
from sos_ops.modbus.protocol_map import ProtocolMap, bundled_map
from sos_ops.modbus.simulator.server import serve_rack
from sos_ops.settings import Scenario

START_DEADLINE_S = 30.0


@contextmanager
def serving_rack(
    folder: Path,
    now: Now,
    scenario: Scenario = Scenario.NORMAL,
    protocol_map: ProtocolMap | None = None,
) -> Iterator[int]:
    """A rack that answers at unit 1; gives its port.

    Args:
        folder: where the rack is saved.
        now: the platform's clock.
        scenario: what the rack lives through.
        protocol_map: how it answers; `keti_bank` if not given.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    loop, listening = asyncio.new_event_loop(), threading.Event()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    serving = asyncio.run_coroutine_threadsafe(
        serve_rack(
            host="127.0.0.1",
            port=port,
            unit_id=1,
            protocol_map=protocol_map or bundled_map("keti_bank"),
            scenario=scenario,
            now=now,
            state_dir=folder,
            on_listening=listening.set,
        ),
        loop,
    )
    try:
        assert listening.wait(START_DEADLINE_S)
        yield port
    finally:
        serving.cancel()
        asyncio.run_coroutine_threadsafe(_settled(), loop).result(START_DEADLINE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(START_DEADLINE_S)
        loop.close()


async def _settled() -> None:
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*others, return_exceptions=True)
