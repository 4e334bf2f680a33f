"""Doing many jobs side by side, so that a few slow ones do not hold up the rest."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, TypeVar

Job = TypeVar("Job")

PATIENCE_S = 0.25
MAX_WORKERS = 800
"""Each may hold a connection: under the 1,024 open files that Linux grants a process unasked."""


class Crew(Generic[Job]):
    """Workers that take job after job. One whose job lasts longer than `PATIENCE_S` is replaced, and leaves after it.

    Args:
        jobs: What is to be done, in this order.
        work: Does one job.
        blame: Told of a job whose work raised. The job is then taken up again, with less left to do.
        max_concurrency: How many jobs are begun side by side. Slow ones do not count, up to `MAX_WORKERS` in all.
    """

    def __init__(
        self,
        jobs: Iterable[Job],
        work: Callable[[Job], Awaitable[None]],
        blame: Callable[[Job, BaseException], None],
        max_concurrency: int,
    ) -> None:
        self._waiting = deque(jobs)
        self._work = work
        self._blame = blame
        self._concurrency = max_concurrency
        self._workers: dict[asyncio.Task[None], list[Job]] = {}
        """Everyone at work, and on what."""

    async def run(self) -> None:
        """Return when every job is done. Cancelled, it leaves no worker behind."""
        for _ in range(min(self._concurrency, len(self._waiting))):
            self._hire()
        try:
            while self._workers:
                await asyncio.wait(self._workers)
        finally:
            for worker in self._workers:
                worker.cancel()
            await asyncio.gather(*self._workers, return_exceptions=True)

    def _hire(self) -> None:
        at_work: list[Job] = []
        worker = asyncio.get_running_loop().create_task(self._work_on(at_work))
        self._workers[worker] = at_work
        worker.add_done_callback(self._left)

    def _left(self, worker: asyncio.Task[None]) -> None:
        at_work = self._workers.pop(worker)
        if worker.cancelled() or (mistake := worker.exception()) is None:
            return
        self._blame(at_work[0], mistake)
        self._waiting.append(at_work[0])
        self._hire()

    async def _work_on(self, at_work: list[Job]) -> None:
        loop = asyncio.get_running_loop()
        replaced = False

        def replace() -> None:
            nonlocal replaced
            if self._waiting and len(self._workers) < MAX_WORKERS:
                replaced = True
                self._hire()

        while self._waiting and not replaced:
            at_work[:] = [self._waiting.popleft()]
            patience = loop.call_later(PATIENCE_S, replace)
            try:
                await self._work(at_work[0])
            finally:
                patience.cancel()
