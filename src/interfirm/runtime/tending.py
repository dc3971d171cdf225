"""Work that goes on beside a node's turns as long as it runs: a fault is told, counted, and the work begun again."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from interfirm.runtime.logs import log

PAUSE_S_MIN, PAUSE_S_MAX = 1.0, 300.0
STEADY_S = 600.0
"""Work that has gone on so long is begun again as quickly as at first."""
Work = Callable[[], Awaitable[None]]


class Tending:
    """The lasting work of one process, by name."""

    def __init__(self, *, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> None:
        self._sleep = sleep
        self._tasks: list[asyncio.Task[None]] = []
        self.faults: dict[str, int] = {}
        """How often each has failed."""
        self.waiting: dict[str, str] = {}
        """What has failed and is not begun again yet, with its fault."""

    def start(self, name: str, work: Work) -> None:
        """Begin work that lasts until `stop`."""
        self.faults[name] = 0
        self._tasks.append(asyncio.ensure_future(self._tended(name, work)))

    async def stop(self) -> None:
        """End all of it."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def shown(self) -> dict[str, Any]:
        """How it stands, as JSON: of each work its faults, and the last one's text while it is not at work."""
        return {
            name: {"faults": count, "waits": name in self.waiting, "reason": self.waiting.get(name, "")}
            for name, count in self.faults.items()
        }

    async def _tended(self, name: str, work: Work) -> None:
        loop, pause_s = asyncio.get_running_loop(), PAUSE_S_MIN
        while True:
            begun_s = loop.time()
            try:
                await work()
                return
            except Exception as error:
                self.faults[name] += 1
                self.waiting[name] = repr(error)[:300]
                pause_s = PAUSE_S_MIN if loop.time() - begun_s > STEADY_S else pause_s
                log.exception("task.fault", task=name, faults=self.faults[name], pause_s=pause_s)
            await self._sleep(pause_s)
            pause_s = min(2 * pause_s, PAUSE_S_MAX)
            del self.waiting[name]
