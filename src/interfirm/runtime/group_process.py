"""The process of a group's host: its own node and those of the entities, each with its own turns, in one event loop."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

from interfirm.runtime.bootstrap import Assembly
from interfirm.runtime.clock import Clock
from interfirm.runtime.group import configured, entities_of
from interfirm.runtime.layout import Home, NetworkLayout
from interfirm.runtime.logs import log
from interfirm.runtime.node_process import NodeProcess


class GroupProcess:
    """See the module. A host without entities is a node like any other.

    What ends one of the nodes ends the process: whoever supervises it begins all of them again.
    """

    def __init__(self, layout: NetworkLayout, home: Home, clock: Callable[[], Clock]) -> None:
        at = clock()
        self._home = home
        self.host = NodeProcess(Assembly(layout, home, at.now_ms), at)
        self.entities = [self._entity(layout, each, clock()) for each in entities_of(layout, home)]
        self._running: list[asyncio.Task[None]] = []

    def _entity(self, layout: NetworkLayout, home: Home, clock: Clock) -> NodeProcess:
        configuration = configured(home, self.host.assembly.configuration)
        assembly = Assembly(layout, home, clock.now_ms, configuration=configuration)
        return NodeProcess(assembly, clock, host=self.host)

    async def serve(self, ready: Callable[[], None]) -> None:
        """Run until cancelled. The host comes last and goes first: nobody is let in while an entity does not work."""
        try:
            for process in self.entities:
                await self._begin(process)
                process.assembly.home.pid_path.write_text(f"{os.getpid()} {self._home.member.slug}")
            await self._begin(self.host)
            ready()
            ended, _ = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                await task
        finally:
            for task in reversed(self._running):
                await _stopped(task)
            for process in self.entities:
                process.assembly.home.pid_path.unlink(missing_ok=True)

    async def _begin(self, process: NodeProcess) -> None:
        """Start a node and wait until it is ready; raises what it refuses to start with."""
        begun = asyncio.Event()
        task = asyncio.ensure_future(process.serve(begun.set))
        self._running.append(task)
        waiting = asyncio.ensure_future(begun.wait())
        try:
            await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            waiting.cancel()
        if task.done():
            await task


async def _stopped(task: asyncio.Task[None]) -> None:
    """Cancel a node and wait for its end; one that fails at that is told of, and does not keep the others up."""
    if task.done():
        return
    task.cancel()
    (failure,) = await asyncio.gather(task, return_exceptions=True)
    if isinstance(failure, Exception):
        log.error("node.stop-failed", reason=repr(failure)[:300])
