"""WebSockets in memory, for streams over graphql-transport-ws."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.unit.api.graphql.doors import GraphNode

QUERY = """subscription($after: String, $size: Int) {
  cash_Cash_stream(after: $after, batch_size: $size) { cursor rows { _status amount { amount } } } }"""


class Socket:
    """A WebSocket in memory."""

    def __init__(self, node: GraphNode, headers: dict[str, str], protocol: str = "graphql-transport-ws") -> None:
        self._sent: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._got: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._sent.put_nowait({"type": "websocket.connect"})
        scope = {
            "type": "websocket", "path": "/graphql", "raw_path": b"/graphql", "query_string": b"", "scheme": "ws",
            "headers": [(name.lower().encode(), value.encode()) for name, value in headers.items()],
            "subprotocols": [protocol], "server": ("node", 80), "client": ("peer", 1), "root_path": "",
        }  # fmt: skip
        self.task = asyncio.create_task(node.app(scope, self._sent.get, self._got.put))

    async def got(self) -> dict[str, Any]:
        async with asyncio.timeout(60):
            return await self._got.get()

    async def message(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((await self.got())["text"])
        return found

    def idle(self) -> bool:
        return self._got.empty()

    async def send(self, **message: Any) -> None:
        await self._sent.put({"type": "websocket.receive", "text": json.dumps(message)})

    async def open(self) -> Socket:
        assert (await self.got())["type"] == "websocket.accept"
        await self.send(type="connection_init")
        assert await self.message() == {"type": "connection_ack"}
        return self

    async def follow(self, query: str = QUERY, name: str = "1", **variables: Any) -> None:
        await self.send(type="subscribe", id=name, payload={"query": query, "variables": variables})

    async def batch(self) -> tuple[list[str], str]:
        """The amounts of the next batch, and its cursor."""
        message = await self.message()
        assert message["type"] == "next", message
        found = message["payload"]["data"]["cash_Cash_stream"]
        return [row["amount"]["amount"] for row in found["rows"]], found["cursor"]

    async def closed(self) -> dict[str, Any]:
        """How the node closes the socket, after what it still sends."""
        while (event := await self.got())["type"] != "websocket.close":
            pass
        return event

    async def leave(self) -> None:
        await self._sent.put({"type": "websocket.disconnect", "code": 1000})
        await self.task
