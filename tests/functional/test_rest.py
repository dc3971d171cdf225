"""A node's REST interface on a real socket: who is slow or says too much is cut off, who follows hears at once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator

import httpx
import pytest
from tests.unit.api.rest.nodes import Client, FirmNode, cash, nodes

from interfirm.api.rest import reading
from interfirm.base.limits import LIMITS, Limits
from interfirm.node.access.types import Role
from interfirm.runtime.configuration import ApiSettings
from interfirm.runtime.http import HttpServer
from interfirm.runtime.layout import free_port

FOLLOWER = Role(name="follower", about="Follows what happens.", operations=("changes.list",), rules=())
PATH = "/v1/contracts/cash.Cash"
Course = Callable[[int, httpx.AsyncClient], Awaitable[None]]


@pytest.fixture
def node() -> Iterator[FirmNode]:
    with nodes(1) as found:
        yield found[0]


@pytest.fixture
def clerk(node: FirmNode) -> Client:
    return node.client("ann", "clerk", FOLLOWER)


def served(node: FirmNode, clerk: Client, course: Course) -> None:
    """Let something happen while the node's application is served on a port."""

    async def whole() -> None:
        port = free_port()
        server = HttpServer(node.app, ApiSettings(port=port))
        await server.start()
        try:
            url = f"http://127.0.0.1:{port}"
            async with asyncio.timeout(60), httpx.AsyncClient(base_url=url, headers=clerk.headers) as client:
                await course(port, client)
        finally:
            await server.stop()

    asyncio.run(whole())


async def answer_to(port: int, head: str, body: bytes = b"") -> bytes:
    """The first line of what is answered to bytes as they are."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
    await writer.drain()
    line = await reader.readline()
    writer.close()
    return line


def test_a_contract_is_made_and_shown(node: FirmNode, clerk: Client) -> None:
    async def course(port: int, client: httpx.AsyncClient) -> None:
        made = await client.post(PATH, json=cash(node))
        assert made.status_code == 201
        assert (await client.get(made.headers["location"])).json()["fields"]["owner"] == "firm0"

    served(node, clerk, course)


def test_a_client_that_stalls_within_its_body_is_cut_off(
    node: FirmNode, clerk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LIMITS", Limits(http_stall_ms_max=1))

    async def course(port: int, client: httpx.AsyncClient) -> None:
        head = f"POST {PATH} HTTP/1.1\nHost: node\nContent-Type: application/json\nContent-Length: 100\n"
        head += f"Authorization: {clerk.headers['Authorization']}"
        assert (await answer_to(port, head, b"{")).startswith(b"HTTP/1.1 408 ")

    served(node, clerk, course)


@pytest.mark.parametrize(("head", "status"), [
    (f"GET /v1/me HTTP/1.1\nHost: node\nX: {'y' * LIMITS.http_head_bytes_max}", b"4"), ("junk", b"400"),
    ("GET /v1/me HTTP/1.1\nHost: node\nContent-Length: 1\nTransfer-Encoding: chunked", b"4"),
    ("GET /v1/../../etc/passwd HTTP/1.1\nHost: node", b"404"), ("GET /v1/me HTTP/1.1\nHost: node", b"401"),
])  # fmt: skip
def test_what_is_no_fair_request_is_refused(node: FirmNode, clerk: Client, head: str, status: bytes) -> None:
    async def course(port: int, client: httpx.AsyncClient) -> None:
        assert (await answer_to(port, head)).startswith(b"HTTP/1.1 " + status)

    served(node, clerk, course)


def test_what_happens_is_heard_by_who_follows(node: FirmNode, clerk: Client) -> None:
    async def course(port: int, client: httpx.AsyncClient) -> None:
        async with client.stream("GET", "/v1/events", timeout=None) as stream:
            lines = stream.aiter_lines()
            assert await anext(lines) == "retry: 2000"
            await client.post(PATH, json=cash(node))
            async for line in lines:
                if line.startswith("data: "):
                    assert json.loads(line[6:])["made"][0]["template"] == "cash.Cash"
                    return

    served(node, clerk, course)
