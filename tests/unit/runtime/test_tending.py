"""Lasting work that fails is told of and begun again, later and later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from interfirm.runtime.tending import PAUSE_S_MAX, PAUSE_S_MIN, Tending


class Sleep:
    """A sleep that notes for how long, and what waits meanwhile."""

    def __init__(self) -> None:
        self.tending = Tending(sleep=self)
        self.seen: list[tuple[float, dict[str, str]]] = []

    async def __call__(self, seconds: float) -> None:
        self.seen.append((seconds, dict(self.tending.waiting)))


def failing(times: int, done: asyncio.Event) -> Callable[[], Awaitable[None]]:
    """Work that fails so often before it goes on."""
    left = [times]

    async def work() -> None:
        left[0] -= 1
        if left[0] >= 0:
            raise RuntimeError("the book fell shut")
        done.set()
        await asyncio.Event().wait()

    return work


async def tended(times: int) -> Sleep:
    sleep, done = Sleep(), asyncio.Event()
    sleep.tending.start("books", failing(times, done))
    await done.wait()
    return sleep


def test_work_that_fails_is_begun_again_and_its_faults_are_counted() -> None:
    async def course() -> None:
        sleep = await tended(2)
        fault = {"books": "RuntimeError('the book fell shut')"}
        assert sleep.seen == [(PAUSE_S_MIN, fault), (2 * PAUSE_S_MIN, fault)]
        assert sleep.tending.shown() == {"books": {"faults": 2, "waits": False, "reason": ""}}
        await sleep.tending.stop()

    asyncio.run(course())


def test_it_waits_longer_each_time_up_to_a_limit() -> None:
    async def course() -> None:
        sleep = await tended(12)
        pauses = [pause for pause, _ in sleep.seen]
        assert pauses == sorted(pauses)
        assert pauses[-1] == PAUSE_S_MAX
        await sleep.tending.stop()

    asyncio.run(course())


def test_what_is_stopped_ends() -> None:
    async def course() -> None:
        sleep = await tended(0)
        await sleep.tending.stop()
        assert sleep.seen == []
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(course())
