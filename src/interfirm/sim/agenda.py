"""The world's clock and what is to happen: a heap of actions by (virtual ms, order of planning)."""

from __future__ import annotations

import heapq
from collections.abc import Callable

Action = Callable[[], None]


class Planned:
    """One planned action, which can be called off."""

    __slots__ = ("action", "ms", "number")

    def __init__(self, ms: int, number: int, action: Action) -> None:
        self.ms, self.number = ms, number
        self.action: Action | None = action

    def __lt__(self, other: Planned) -> bool:
        return (self.ms, self.number) < (other.ms, other.number)


class Agenda:
    """Runs planned actions in the order of their time, and of their planning where times are equal."""

    def __init__(self, start_ms: int) -> None:
        self.now_ms = start_ms
        self.done = 0
        self._heap: list[Planned] = []
        self._number = 0

    def at(self, ms: int, action: Action) -> Planned:
        """Plan an action; one in the past happens now."""
        self._number += 1
        planned = Planned(max(ms, self.now_ms), self._number, action)
        heapq.heappush(self._heap, planned)
        return planned

    def after(self, ms: int, action: Action) -> Planned:
        """Plan an action `ms` from now."""
        return self.at(self.now_ms + ms, action)

    def run(self, *, until_ms: int, actions_max: int) -> bool:
        """Run what is planned up to a time; True where nothing is planned any more."""
        for _ in range(actions_max):
            self._skip()
            if not self._heap or self._heap[0].ms > until_ms:
                break
            planned = heapq.heappop(self._heap)
            self.now_ms = planned.ms
            self.done += 1
            assert planned.action is not None
            planned.action()
        self._skip()
        if self._heap and self._heap[0].ms > until_ms:
            self.now_ms = until_ms
        return not self._heap

    def _skip(self) -> None:
        while self._heap and self._heap[0].action is None:
            heapq.heappop(self._heap)
