"""Background jobs of a running node, driven by asyncio: a slice at a time, with the node's turns in between."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from interfirm.base.errors import Refusal
from interfirm.formats.tables import TableFormats
from interfirm.node.desk_retention import ARCHIVE, RESTORE
from interfirm.node.flows.machine import ENDED
from interfirm.node.flows.types import AskedFlow, TellProgress
from interfirm.node.jobs.catalogue import JOBS
from interfirm.node.jobs.runner import Runner, Running, Slice
from interfirm.node.retention.archiving import archiving
from interfirm.node.retention.restoring import restoring
from interfirm.node.retention.sealed_file import sealing_key
from interfirm.runtime.bootstrap import Assembly
from interfirm.runtime.logs import log

_ABOUT_JOBS = ("bulk.", "archive.", "jobs.cancel")
AGAIN_S = 5.0
"""After this time flows that have not begun are asked for again, and so is storage that had failed."""


class JobDriver:
    """Runs until cancelled; `put` hands an event to the node's loop."""

    def __init__(self, runner: Runner, put: Callable[[AskedFlow], None]) -> None:
        self._runner = runner
        self._put = put
        self._something = asyncio.Event()
        self._look = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self.run())
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    def look_after(self, operation: str) -> None:
        """An operation was carried out, by which a job may have been added or cancelled."""
        if operation.startswith(_ABOUT_JOBS):
            self._look = True
            self._something.set()

    def told(self, effect: TellProgress) -> None:
        """A flow has come further."""
        if effect.state in (*ENDED, "failed") and self._runner.told(effect.flow):
            self._something.set()

    async def run(self) -> None:
        """Step jobs for as long as there are any; what fails of the storage is tried again later."""
        fresh = True
        while True:
            try:
                if fresh:
                    self._hand_out(self._runner.restart())
                    fresh = False
                await self._once()
            except Exception as failure:  # the node goes on, and the jobs later, from what they had committed
                told = failure.as_plain() if isinstance(failure, Refusal) else {"reason": repr(failure)[:500]}
                log.warning("jobs.failed", **told)
                fresh = True
                await asyncio.sleep(AGAIN_S)

    async def _once(self) -> None:
        if self._look:
            self._look = False
            self._runner.look()
        running = self._runner.due()
        if running is None:
            await self._wait()
            return
        slice_ = self._runner.step(running)
        self._hand_out(slice_.events)
        await self._beside(running, slice_)

    async def _beside(self, running: Running, slice_: Slice) -> None:
        """Let the node's turns come in; work on files goes on in a thread."""
        if slice_.slow is None:
            await asyncio.sleep(0)
            return
        try:
            running.answer = await asyncio.to_thread(slice_.slow.work)
        except Exception as failure:  # told to the job, which ends with it
            running.failure = failure

    async def _wait(self) -> None:
        self._something.clear()
        if self._look:
            return
        try:
            async with asyncio.timeout(AGAIN_S if self._runner.waiting else None):
                await self._something.wait()
        except TimeoutError:
            self._hand_out(self._runner.again())
            self._runner.look()

    def _hand_out(self, events: tuple[AskedFlow, ...] | list[AskedFlow]) -> None:
        for event in events:
            self._put(event)


def job_driver(assembly: Assembly, put: Callable[[AskedFlow], None]) -> JobDriver:
    """The jobs of a node, with the folder in which they keep what they have not finished."""
    folder = assembly.home.folder / "jobs"
    folder.mkdir(mode=0o700, exist_ok=True)
    key = sealing_key(assembly.store.document_key)
    kinds = {**JOBS, ARCHIVE: archiving(key), RESTORE: restoring(key)}
    return JobDriver(Runner(assembly.desk, kinds, tables=TableFormats(), folder=folder), put)
