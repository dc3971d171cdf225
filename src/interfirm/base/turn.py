"""The one turn loop, for production and simulation: drain the inbox, step, commit, then release effects.

The step it is given commits everything it decided in one database transaction before it returns; so an effect that is
released was decided for good, and one that was not released is decided again after a restart.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

E = TypeVar("E")
F = TypeVar("F")


class TurnLoop(Generic[E, F]):
    """An inbox of events for one machine. `step(events, now_ms)` returns effects; `release` hands one out."""

    def __init__(
        self,
        step: Callable[[Sequence[E], int], Sequence[F]],
        release: Callable[[F], None],
        *,
        events_per_turn_max: int = 256,
    ) -> None:
        self._step = step
        self._release = release
        self._inbox: deque[E] = deque()
        self._events_max = events_per_turn_max
        self.turns = 0

    def put(self, event: E) -> None:
        """Append an event to the inbox."""
        self._inbox.append(event)

    @property
    def waiting(self) -> int:
        """How many events wait."""
        return len(self._inbox)

    def run(self, now_ms: int) -> int:
        """One turn over what waits (at most a batch; also over nothing, when time has come); returns how many."""
        count = min(len(self._inbox), self._events_max)
        events = [self._inbox.popleft() for _ in range(count)]
        self.turns += 1
        for effect in self._step(events, now_ms):
            self._release(effect)
        return count
