"""What a node does once a day by itself, and first of it: compare its books with everybody it talks with."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable

import msgspec

from interfirm.base.time import DAY_MS
from interfirm.node.flows.comparing import COMPARE, SLACK_MS, CompareArguments
from interfirm.node.flows.types import AskedFlow

LOOK_S = 600.0
"""How often the clock is looked at."""


class EachDay(ABC):
    """Something to be asked for when a day has begun, so many milliseconds ago that it can be."""

    def __init__(self, *, slack_ms: int = 0) -> None:
        self._slack_ms = slack_ms
        self._day: int | None = None

    @abstractmethod
    def begin(self, day: int) -> None:
        """Ask for what a day (since 1970) wants."""

    def look(self, now_ms: int) -> None:
        """Ask once a day; who starts in the middle of a day leaves it to the next."""
        day = (now_ms - self._slack_ms) // DAY_MS
        if day == self._day:
            return
        if self._day is not None:
            self.begin(day)
        self._day = day

    async def run(self, now_ms: Callable[[], int]) -> None:
        """Look at the clock until cancelled."""
        while True:
            self.look(now_ms())
            await asyncio.sleep(LOOK_S)


class Daily(EachDay):
    """Asks for the comparisons of a day; the same day again asks for flows that are there already."""

    def __init__(self, put: Callable[[AskedFlow], None], peers: Callable[[], Iterable[bytes]]) -> None:
        super().__init__(slack_ms=SLACK_MS)
        self._put, self._peers = put, peers

    def begin(self, day: int) -> None:
        """See EachDay."""
        for peer in self._peers():
            asked = CompareArguments(peer=peer, until_ms=day * DAY_MS)
            name = f"books-{day}-{peer.hex()[:16]}"
            self._put(AskedFlow(id=name, kind=COMPARE, arguments=msgspec.msgpack.encode(asked)))
