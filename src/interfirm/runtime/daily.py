"""What a node does once a day by itself: compare its books with everybody it talks with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

import msgspec

from interfirm.base.time import DAY_MS
from interfirm.node.flows.comparing import COMPARE, SLACK_MS, CompareArguments
from interfirm.node.flows.types import AskedFlow

LOOK_S = 600.0
"""How often the clock is looked at."""


class Daily:
    """Asks for the flows of a day when it has begun; the same day again asks for flows that are there already."""

    def __init__(self, put: Callable[[AskedFlow], None], peers: Callable[[], Iterable[bytes]]) -> None:
        self._put, self._peers = put, peers
        self._day: int | None = None

    def look(self, now_ms: int) -> None:
        """Ask for what the day wants, once it is so old that its beginning can be compared."""
        day = (now_ms - SLACK_MS) // DAY_MS
        if day == self._day:
            return
        if self._day is not None:  # who starts in the middle of a day leaves it to the next
            for peer in self._peers():
                asked = CompareArguments(peer=peer, until_ms=day * DAY_MS)
                name = f"books-{day}-{peer.hex()[:16]}"
                self._put(AskedFlow(id=name, kind=COMPARE, arguments=msgspec.msgpack.encode(asked)))
        self._day = day

    async def run(self, now_ms: Callable[[], int]) -> None:
        """Look at the clock until cancelled."""
        while True:
            self.look(now_ms())
            await asyncio.sleep(LOOK_S)
