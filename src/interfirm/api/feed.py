"""Wakes whoever waits for changes, after the commit that made them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

Changed = Callable[[frozenset[str]], None]
"""Told after a commit: the paths of the templates whose contracts came or changed."""
Changes = Callable[[Changed], Callable[[], None]]
"""Tells of every commit that brings or changes contracts, until what it gives back is called."""


class Feed:
    """Nobody asks the database again and again: who has read everything waits here until something was recorded."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._moved = asyncio.Event()
        self._stop: Callable[[], None] | None = None

    def next(self) -> asyncio.Event:
        """What is set when something is recorded from now on; taken before one reads, so that nothing is missed."""
        if self._stop is None:
            self._stop = self._changes(self._changed)
        return self._moved

    def stop(self) -> None:
        """Listen no longer."""
        if self._stop is not None:
            self._stop()
            self._stop = None

    def _changed(self, templates: frozenset[str]) -> None:
        self._moved.set()
        self._moved = asyncio.Event()
