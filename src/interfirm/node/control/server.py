"""The node's end of the control socket."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeAlias

import structlog

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.node.control.sockets import check_own_user, listening
from interfirm.node.control.wire import End, Item, Refused, Request, pack, read_request

Answer: TypeAlias = dict[str, Any] | AsyncIterator[dict[str, Any]]
Handler: TypeAlias = Callable[[str, dict[str, Any]], Awaitable[Answer]]
_PAUSE_SECONDS = 0.1
_log = structlog.get_logger("interfirm.control")


class ControlServer:
    """Answers programs of its own user at `path` (mode 0600), one request for each connection.

    `handler(name, args)` gives a map, or an asynchronous iterator of maps for progress and long lists. A Refusal it
    raises reaches the caller as one; anything else is logged and reaches it as `node.fault`. A caller that goes away
    ends its iterator.
    """

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path, self._handler = path, handler
        self._socket: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; Refusal `node.already-running`, `node.socket` or `node.socket-path`."""
        self._socket = listening(self._path)
        self._spawn(self._accept(self._socket))

    async def stop(self) -> None:
        """End every answer, and take the socket away."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()
            self._socket = None
            self._path.unlink(missing_ok=True)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                accepted, _ = await asyncio.get_running_loop().sock_accept(listener)
            except OSError as error:  # too many open files: those that are open come first
                _log.warning("cannot accept", reason=error.strerror)
                await asyncio.sleep(_PAUSE_SECONDS)
                continue
            self._spawn(self._serve(accepted))

    async def _serve(self, accepted: socket.socket) -> None:
        reader, writer = await asyncio.open_unix_connection(sock=accepted)
        try:
            check_own_user(accepted)
            crowded = len(self._tasks) > LIMITS.control_connections_count_max
            check(not crowded, "control.crowded", "too many programs talk to this node")
            async with asyncio.timeout(LIMITS.handshake_ms_max / 1000):
                request = await read_request(reader)
            await self._answer(request, reader, writer)
        except Refusal as refusal:
            writer.write(pack(Refused(**refusal.as_plain())))
        except (EOFError, ConnectionError, TimeoutError):
            pass  # the caller has gone, and there is nobody to tell
        finally:
            writer.close()

    async def _answer(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the request; stop when its caller goes away before the answer is complete."""
        answering = asyncio.ensure_future(self._written(request, writer))
        leaving = asyncio.ensure_future(reader.read(1))
        try:
            await asyncio.wait([answering, leaving], return_when=asyncio.FIRST_COMPLETED)
            if answering.done():
                answering.result()
        finally:
            for task in (answering, leaving):
                task.cancel()
            await asyncio.gather(answering, leaving, return_exceptions=True)

    async def _written(self, request: Request, writer: asyncio.StreamWriter) -> None:
        last: End | Refused = End()
        try:
            answer = await self._handler(request.name, request.args)
            if isinstance(answer, dict):
                writer.write(pack(Item(value=answer)))
            else:
                await _stream(answer, writer)
        except Refusal as refusal:
            last = Refused(**refusal.as_plain())
        except ConnectionError:
            raise
        except Exception as error:
            _log.exception("a request failed", request=request.name)
            last = Refused(code="node.fault", reason="the node failed over this request", values={"cause": repr(error)})
        writer.write(pack(last))
        await writer.drain()


async def _stream(parts: AsyncIterator[dict[str, Any]], writer: asyncio.StreamWriter) -> None:
    try:
        async for part in parts:
            writer.write(pack(Item(value=part)))
            await writer.drain()
    finally:
        if isinstance(parts, AsyncGenerator):
            await parts.aclose()  # its own clean-up happens now, not when it is collected
