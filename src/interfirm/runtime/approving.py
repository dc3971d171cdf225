"""What waits for approvals, kept in memory: for metrics, notices, daily reminders, and to end what nobody decides.

The vault says what was written about it, so nothing is asked of the database while nothing happens.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable

from interfirm.node.access import approvals
from interfirm.node.access.approvals import OPEN, Pending
from interfirm.node.vault.blobs import Key
from interfirm.node.vault.vault import Vault

LOOK_S = 60.0
"""How often the clock is looked at for reminders, and for what ends."""
PAGE = 500


class Approving:
    """See the module. `told` hears of what waits when it begins to wait, and again whenever the clock is looked at."""

    def __init__(
        self, vault: Vault, told: Callable[[Pending], None], *, now_ms: Callable[[], int],
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:  # fmt: skip
        self._vault, self._told, self._now_ms, self._sleep = vault, told, now_ms, sleep
        self._open: dict[str, Pending] = {}

    @property
    def count(self) -> int:
        """How much waits."""
        return len(self._open)

    @property
    def age_s(self) -> float:
        """How long the oldest of it waits; 0 where nothing does."""
        since_ms = min((each.asked_ms for each in self._open.values()), default=self._now_ms())
        return max(0, self._now_ms() - since_ms) / 1000

    async def run(self) -> None:
        """Follow what waits until cancelled."""
        loop = asyncio.get_running_loop()
        stop = self._vault.watch({OPEN}, lambda keys: loop.call_soon_threadsafe(self._look, keys))
        try:
            self._open = {each.id: each for each in self._every()}
            while True:
                self._end_old()
                for pending in self._open.values():
                    self._told(pending)
                await self._sleep(LOOK_S)
        finally:
            stop()

    def _every(self) -> Iterable[Pending]:
        after: str | None = None
        while True:
            with self._vault.read() as turn:
                page = approvals.page(turn, ended=False, after=after, limit=PAGE)
            yield from page
            if len(page) < PAGE:
                return
            after = page[-1].id

    def _look(self, keys: frozenset[Key]) -> None:
        """Something was written about these."""
        for name in (key.decode() for _, key in keys):
            with self._vault.read() as turn:
                found = approvals.find(turn, name)
            if found is None or found.state != "open":
                self._open.pop(name, None)
                continue
            self._open[name] = found
            self._told(found)

    def _end_old(self) -> None:
        """End what nobody has decided in time."""
        now_ms = self._now_ms()
        old = [name for name, each in self._open.items() if each.expires_ms <= now_ms]
        if not old:
            return
        with self._vault.turn() as turn:
            for name in old:
                found = approvals.get(turn, name)
                if found.state == "open":
                    approvals.put(turn, found.replace(state="expired"))
                del self._open[name]
