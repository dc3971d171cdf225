"""What contracts do is followed from any place in the log, as far as the follower may read it, without asking again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from interfirm.api.rest import events
from interfirm.base.limits import Limits
from interfirm.node import changes
from interfirm.node.access.types import OWNER, Role, Rule

from .endings import ENDINGS, LIFE_MS
from .nodes import Client, FirmNode, cash, made, nodes

PATH = "/v1/contracts/cash.Cash"
FOLLOWER = Role(
    name="follower", about="Follows cash.", operations=("changes.list", "create", "exercise", "contracts.*"),
    rules=(Rule(template="cash.Cash", read=True, create=True, choices=("*",)),),
)  # fmt: skip
OTHER = Role(name="other", about="Follows invoices.", operations=("changes.list",),
             rules=(Rule(template="invoices.Invoice", read=True),))  # fmt: skip


@pytest.fixture
def node() -> Iterator[FirmNode]:
    with nodes(1) as found:
        yield found[0]


@pytest.fixture
def follower(node: FirmNode) -> Client:
    return node.client("fay", FOLLOWER)


def read(client: Client, **more: Any) -> list[dict[str, Any]]:
    """The changes so far."""
    answer = client.get("/v1/events", params={"follow": "false", "after": "0"}, **more)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    return [json.loads(line[6:]) for line in answer.text.splitlines() if line.startswith("data: ")]


def test_what_is_made_and_ended_is_told_in_order(node: FirmNode, follower: Client) -> None:
    first = made(follower.post(PATH, json=cash(node))).rpartition("/")[2]
    halves = {"arguments": {"amounts": [{"amount": "50.00", "currency": "EUR"}] * 2}}
    assert follower.post(f"{PATH}/{first}/divide", json=halves).status_code == 200
    one, two = read(follower)
    assert (one["number"], one["made"], one["ended"]) == (1, [{"ref": first, "template": "cash.Cash"}], [])
    assert (two["number"], two["ended"], len(two["made"])) == (2, [{**one["made"][0], "choice": "divide"}], 2)


def test_a_stream_goes_on_after_the_last_event_that_was_read(node: FirmNode, follower: Client) -> None:
    for _ in range(3):
        made(follower.post(PATH, json=cash(node)))
    assert [each["number"] for each in read(follower, headers={"Last-Event-ID": "1"})] == [2, 3]
    assert read(follower, headers={"Last-Event-ID": "3"}) == []


def test_what_the_follower_may_not_read_is_passed_over_with_its_number(node: FirmNode, follower: Client) -> None:
    made(follower.post(PATH, json=cash(node)))
    other = node.client("ole", OTHER)
    assert read(other) == []
    assert "id: 1\n\n" in other.get("/v1/events?follow=false&after=0").text


def test_whoever_may_not_follow_is_refused_before_the_stream_begins(node: FirmNode) -> None:
    answer = node.client("ada", "administrator").get("/v1/events")
    assert (answer.status_code, answer.json()["code"]) == (403, "access.operation")


def test_a_move_to_another_notary_is_told_with_where_it_went() -> None:
    with nodes(1, notaries=2) as (node,):
        follower = node.client("fay", FOLLOWER)
        ref = made(follower.post(PATH, json=cash(node))).rpartition("/")[2]
        away = move(node, ref)
        other = node.client("ole", OTHER)
        (told,) = read(follower, headers={"Last-Event-ID": "1"})
        origin = node.desk.names.name_of(node.world.population.notaries[0].id)
        here = {"ref": ref, "template": "cash.Cash", "arrived": told["moved"][0]["arrived"], "from": origin, "to": away}
        assert (told["made"], told["ended"], told["moved"]) == ([], [], [here])
        assert follower.get(f"{PATH}/{here['arrived']}").json()["notary"] == away
        assert read(other) == []


def move(node: FirmNode, ref: str) -> str:
    """Move a contract to the network's second notary, whose name is returned."""
    name = node.world.population.notaries[1].name

    async def course() -> None:
        parts = await node.handle("contracts.move", {"ref": ref, "to": name, "wait_ms": 600_000}, OWNER)
        assert not isinstance(parts, dict)
        flows = [part["flow"] async for part in parts]
        assert flows[-1]["state"] == "done", flows

    asyncio.run(course())
    return name


def test_streams_are_not_too_many(node: FirmNode, follower: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LIMITS", Limits(http_streams_count_max=0))
    answer = follower.get("/v1/events")
    assert (answer.status_code, answer.json()["code"]) == (503, "http.crowded")


class Stream:
    """An open stream, read line by line."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._lines: asyncio.Queue[str] = asyncio.Queue()
        self._gone = asyncio.Event()
        self._request: list[dict[str, Any]] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def run(self) -> None:
        headers = [(name.lower().encode(), value.encode()) for name, value in self._client.headers.items()]
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "http",
            "path": "/v1/events", "raw_path": b"/v1/events", "query_string": b"", "root_path": "", "headers": headers,
            "server": ("node", 80), "client": ("127.0.0.1", 1),
        }  # fmt: skip
        await self._client.app(scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if self._request:
            return self._request.pop()
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        for line in message.get("body", b"").decode().splitlines():
            self._lines.put_nowait(line)

    async def data(self) -> dict[str, Any]:
        """The next event's."""
        while True:
            line = await self._lines.get()
            if line.startswith("data: "):
                found: dict[str, Any] = json.loads(line[6:])
                return found

    async def begun(self) -> None:
        """The first line has come."""
        await self._lines.get()

    def leave(self) -> None:
        self._gone.set()


@asynccontextmanager
async def following(client: Client) -> AsyncIterator[Stream]:
    stream = Stream(client)
    task = asyncio.ensure_future(stream.run())
    await stream.begun()
    yield stream
    stream.leave()
    await task


def test_what_happens_is_pushed_to_who_follows_from_now_on(node: FirmNode, follower: Client) -> None:
    made(follower.post(PATH, json=cash(node)))

    async def both() -> list[int]:
        async with following(follower) as stream:
            await asyncio.sleep(0)
            numbers = []
            for _ in range(2):
                await follower.asks("POST", PATH, json=cash(node))
                numbers.append((await stream.data())["number"])
            return numbers

    assert asyncio.run(both()) == [2, 3]


def test_while_nothing_happens_the_database_is_not_asked(
    node: FirmNode, follower: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    handle = node.handle

    async def noted(name: str, *more: Any) -> Any:
        asked.append(name)
        return await handle(name, *more)

    monkeypatch.setattr(node, "handle", noted)
    monkeypatch.setattr(events, "HEARTBEAT_S", 0.001)

    async def idle() -> None:
        async with following(follower) as stream:
            while not (await stream._lines.get()).startswith(":"):
                pass
            before = len(asked)
            for _ in range(20):
                await stream._lines.get()
            assert len(asked) == before

    asyncio.run(idle())


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_stream_ends_with_the_reason_when(node: FirmNode, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begin, end, code = ENDINGS[ending]
    monkeypatch.setattr("interfirm.runtime.standings.LOOK_S", 0.01)
    monkeypatch.setattr("interfirm.node.access.sessions.LIMITS", Limits(session_idle_ms_max=LIFE_MS))
    client = node.stranger()
    client.headers = begin(node)

    async def both() -> dict[str, Any]:
        stream = Stream(client)
        task = asyncio.ensure_future(stream.run())
        await stream.begun()
        await asyncio.sleep(0)
        end(node)
        async with asyncio.timeout(60):
            await task
            return await stream.data()

    assert asyncio.run(both())["code"] == code


def test_the_log_keeps_its_last_entries(node: FirmNode, follower: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "LIMITS", Limits(changes_count_max=2))
    for _ in range(5):
        made(follower.post(PATH, json=cash(node)))
    assert [each["number"] for each in read(follower)] == [4, 5]


def test_a_transaction_that_is_recorded_twice_is_told_once(node: FirmNode, follower: Client) -> None:
    seen: list[Any] = []
    node.firm.services.watchers.append(lambda *given: seen.append(given))
    made(follower.post(PATH, json=cash(node)))
    services, _, verified, now_ms = seen[0]
    with node.firm.vault.turn() as turn:
        changes.note_change(services, turn, verified, now_ms)
    assert len(read(follower)) == 1
