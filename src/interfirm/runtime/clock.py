"""The clocks a process may run on: the system's, or a scenario's that demos and tests set."""

from __future__ import annotations

import time
from typing import Protocol

from interfirm.base.errors import Refusal


class Clock(Protocol):
    """Milliseconds since 1970-01-01T00:00Z; never goes back within a process."""

    def now_ms(self) -> int:
        """The time."""


class SystemClock:
    """The machine's clock; if it is set back, it stands still until it has caught up."""

    def __init__(self) -> None:
        self._last = 0

    def now_ms(self) -> int:
        """The time."""
        self._last = max(self._last, time.time_ns() // 1_000_000)
        return self._last


class ScenarioClock:
    """A clock that is set to a moment and runs on from there; only forward."""

    def __init__(self, start_ms: int) -> None:
        self._set_ms = start_ms
        self._since = time.monotonic_ns()

    def now_ms(self) -> int:
        """The time."""
        return self._set_ms + (time.monotonic_ns() - self._since) // 1_000_000

    def set(self, ms: int) -> None:
        """Jump forward to a moment; Refusal `clock.backwards` otherwise."""
        now = self.now_ms()
        if ms < now:
            raise Refusal("clock.backwards", "a scenario's clock is set forward only", now_ms=now, to_ms=ms)
        self._set_ms, self._since = ms, time.monotonic_ns()
