"""A program's end of the control socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.node.control.sockets import connected
from interfirm.node.control.wire import Item, Refused, Request, pack, read_answer


class ControlClient:
    """Asks the node whose socket is at `path`; each call is a connection of its own.

    Both ways raise the node's own Refusal, `node.not-running` where none answers, and `node.gone` when it ends before
    its answer does.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def call(self, name: str, args: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer; of one that comes in parts, the last (an empty map where there is none)."""
        last: dict[str, Any] = {}
        async for part in self.stream(name, args):
            last = part
        return last

    async def stream(self, name: str, args: dict[str, Any] | None = None) -> AsyncGenerator[dict[str, Any], None]:
        """The parts of the answer as they come."""
        reader, writer = await asyncio.open_unix_connection(sock=connected(self._path))
        try:
            writer.write(pack(Request(name=name, args=args or {})))
            await writer.drain()
            while isinstance(part := await read_answer(reader), Item):
                yield part.value
            if isinstance(part, Refused):
                raise Refusal(part.code, part.reason, **part.values)
        except (EOFError, ConnectionError) as error:
            raise Refusal("node.gone", "the node ended before its answer did", path=str(self._path)) from error
        finally:
            writer.close()
