"""The control socket's server: Unix domain, mode 0600, for the same user only."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.node.control.frames import LENGTH_BYTES, body_length, pack, unpack

Handler = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any] | AsyncIterator[dict[str, Any]]]]
"""(operation, arguments) -> the answer, or progress items of which the last is the answer."""

_PATH_BYTES_MAX = 100
"""What every system takes for a socket's path (sun_path has 104 or 108)."""


class DirectoryLock:
    """Held by the one process that works in a folder; a second one is refused with `node.already-running`."""

    def __init__(self, folder: Path) -> None:
        self._file = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._file)
            raise Refusal("node.already-running", "a process works in this folder already", folder=str(folder)) from error

    def release(self) -> None:
        """Let another process have it."""
        os.close(self._file)


class ControlServer:
    """Serves one handler on a socket path."""

    def __init__(self, path: Path, handler: Handler) -> None:
        self._path = path
        self._handler = handler
        self._lock: DirectoryLock | None = None
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen; Refusal `node.already-running` while another process has the folder, `control.path` if too long."""
        if len(os.fsencode(self._path)) > _PATH_BYTES_MAX:
            raise Refusal("control.path", "the folder's path is too long for a socket", path=str(self._path))
        self._lock = DirectoryLock(self._path.parent)
        self._path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            listening.bind(str(self._path))
        finally:
            os.umask(before)
        self._server = await asyncio.start_unix_server(self._serve, sock=listening)

    async def stop(self) -> None:
        """Answer no more; talks under way are cut."""
        if self._server is not None:
            self._server.close()
        for talk in list(self._talks):
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)
        self._path.unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            _check_peer(writer.get_extra_info("socket"))
            while True:
                head = await reader.readexactly(LENGTH_BYTES)
                request = unpack(await reader.readexactly(body_length(head)))
                await self._answer(request, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the caller left, or the node stops
        except Refusal as refusal:
            with contextlib.suppress(ConnectionError):
                await _send(writer, {"refused": refusal.as_plain()})
        finally:
            self._talks.discard(task)
            writer.close()

    async def _answer(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        name, arguments = request.get("name"), request.get("arguments", {})
        try:
            if not isinstance(name, str) or not isinstance(arguments, dict):
                raise Refusal("control.malformed", "a request has a name and arguments")
            found = await self._handler(name, arguments)
            if isinstance(found, dict):
                await _send(writer, {"done": found})
                return
            last: dict[str, Any] = {}
            async for item in found:
                last = item
                await _send(writer, {"item": item})
            await _send(writer, {"done": last})
        except Refusal as refusal:
            await _send(writer, {"refused": refusal.as_plain()})


async def _send(writer: asyncio.StreamWriter, value: dict[str, Any]) -> None:
    writer.write(pack(value))
    await writer.drain()


def _check_peer(connection: Any) -> None:
    """The other end is the same user; the socket's mode says so too, but not on every system."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return
    _, user, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    if user != os.getuid():
        raise Refusal("control.user", "the control socket is for the node's own user", user=user)
