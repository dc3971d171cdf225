"""Driving a turn loop with asyncio: wake on events and on time, run turns, until the process is stopped."""

from __future__ import annotations

import asyncio
from typing import Any

from interfirm.base.turn import TurnLoop
from interfirm.runtime.clock import Clock


class Driver:
    """Runs turns whenever something waits or a time has come; all in one thread, so never two at once."""

    def __init__(self, loop: TurnLoop[Any, Any], clock: Clock) -> None:
        self.loop = loop
        self.clock = clock
        self._something = asyncio.Event()
        self._turned = asyncio.Event()
        self._wake_ms: int | None = None
        self.failure: BaseException | None = None

    def put(self, event: Any) -> None:
        """An event came in."""
        self.loop.put(event)
        self._something.set()

    def wake_at(self, at_ms: int) -> None:
        """Run a turn at this time at the latest."""
        if self._wake_ms is None or at_ms < self._wake_ms:
            self._wake_ms = at_ms
            self._something.set()

    def poke(self) -> None:
        """Look at the clock again."""
        self._something.set()

    async def turned(self) -> None:
        """Wait for the end of the next turn."""
        self._turned.clear()
        await self._turned.wait()

    async def run(self) -> None:
        """Run until cancelled."""
        while True:
            await self._wait()
            # let what is ready on other connections come in too: one commit serves all of it
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            self._something.clear()
            now = self.clock.now_ms()
            due = self._wake_ms is not None and now >= self._wake_ms
            if due:
                self._wake_ms = None
            if due or self.loop.waiting:
                self.loop.run(now)
                self._turned.set()
            if self.loop.waiting:
                self._something.set()
                await asyncio.sleep(0)

    async def _wait(self) -> None:
        timeout = None
        if self._wake_ms is not None:
            timeout = max(0, self._wake_ms - self.clock.now_ms()) / 1000
        try:
            async with asyncio.timeout(timeout):
                await self._something.wait()
        except TimeoutError:
            return
