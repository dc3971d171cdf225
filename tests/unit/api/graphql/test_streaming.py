"""Streams over graphql-transport-ws."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from tests.unit.api.graphql.doors import ALL, GraphNode, graph_nodes
from tests.unit.api.graphql.sockets import QUERY, Socket
from tests.unit.api.rest.endings import ENDINGS, LIFE_MS, by_token
from tests.unit.node.vault.samples import bytes32, contract

from interfirm.base.limits import LIMITS, Limits
from interfirm.base.money import Money
from interfirm.contracts.language import Party
from interfirm.node.access import people
from interfirm.node.access.types import Role, Rule

LARGE = json.dumps({"amount": {"_gte": {"amount": "10.00", "currency": "EUR"}}})
READER = Role("large", "Reads large cash.", ("contracts.*",), (Rule("cash.Cash", read=True, rows=LARGE),))


@pytest.fixture
def node() -> Iterator[GraphNode]:
    with graph_nodes() as made:
        yield made[0]


def headers(node: GraphNode, name: str = "ann", role: Role = ALL, **more: Any) -> dict[str, str]:
    return node.client(name, role, **more).headers


def add(node: GraphNode, *amounts: int) -> None:
    """Cash that comes to be known, and the commit that tells of it."""
    desk, vault = node.node.desk, node.node.firm.vault
    code, me = desk.engine.named("cash.Cash"), Party(desk.me)
    with vault.turn() as turn:
        for amount in amounts:
            value = code.cls(issuer=me, owner=me, amount=Money(amount * 100, "EUR"))
            number = turn.last_arrival()
            turn.add_contract(contract(code.id, value, by=bytes32("cash", number)))
    node.port.commit("cash.Cash")


def run(talk: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(talk(), 30))


def test_what_comes_is_pushed_in_its_order(node: GraphNode) -> None:
    async def talk() -> None:
        add(node, 1)
        socket = await Socket(node, headers(node)).open()
        await socket.follow()
        assert (await socket.batch())[0] == []
        add(node, 2, 3)
        assert (await socket.batch())[0] == ["2.00", "3.00"]
        add(node, 4)
        assert (await socket.batch())[0] == ["4.00"]
        await socket.leave()
        assert node.port.told == []

    run(talk)


def test_a_stream_goes_on_where_its_cursor_stands(node: GraphNode) -> None:
    async def talk() -> None:
        socket = await Socket(node, headers(node)).open()
        await socket.follow(size=2)
        _, start = await socket.batch()
        await socket.leave()
        add(node, 1, 2, 3)
        socket = await Socket(node, headers(node)).open()
        await socket.follow(after=start, size=2)
        first, cursor = await socket.batch()
        assert first == ["1.00", "2.00"]
        assert (await socket.batch())[0] == ["3.00"]
        await socket.follow(name="2", after=cursor, size=2)
        assert (await socket.batch())[0] == ["3.00"]
        await socket.leave()

    run(talk)


def test_nothing_is_asked_of_the_vault_while_nothing_changes(node: GraphNode) -> None:
    async def talk() -> None:
        socket = await Socket(node, headers(node)).open()
        await socket.follow()
        await socket.batch()
        await socket.send(type="ping")
        assert await socket.message() == {"type": "pong"}
        before = node.port.reads
        node.port.commit("invoices.Invoice")
        await socket.send(type="ping")
        assert await socket.message() == {"type": "pong"}
        assert node.port.reads == before
        await socket.leave()

    run(talk)


def test_everybody_follows_only_what_their_roles_show(node: GraphNode) -> None:
    async def talk() -> None:
        everything = await Socket(node, headers(node)).open()
        large = await Socket(node, headers(node, "lea", READER)).open()
        for socket in (everything, large):
            await socket.follow()
            await socket.batch()
        add(node, 9, 10)
        assert (await everything.batch())[0] == ["9.00", "10.00"]
        assert (await large.batch())[0] == ["10.00"]
        await everything.leave()
        await large.leave()

    run(talk)


def test_a_role_that_is_taken_away_ends_the_stream(node: GraphNode) -> None:
    async def talk() -> None:
        socket = await Socket(node, headers(node, "lea", READER)).open()
        await socket.follow()
        await socket.batch()
        with node.node.firm.vault.turn() as turn:
            people.put_role(turn, READER.replace(rules=(Rule("invoices.Invoice", read=True),)))
        closed = await socket.closed()
        assert (closed["code"], closed["reason"].partition(":")[0]) == (4403, "access.changed")
        await socket.task

    run(talk)


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_stream_is_closed_with_the_reason_when(node: GraphNode, ending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    begin, end, code = ENDINGS[ending]
    monkeypatch.setattr("interfirm.runtime.standings.LOOK_S", 0.01)
    monkeypatch.setattr("interfirm.node.access.sessions.LIMITS", Limits(session_idle_ms_max=LIFE_MS))

    async def talk() -> None:
        socket = await Socket(node, begin(node.node)).open()
        await socket.follow()
        await socket.batch()
        end(node.node)
        closed = await socket.closed()
        assert closed["code"] == (4403 if code == "access.changed" else 4401)
        assert closed["reason"].partition(":")[0] == code
        await socket.task
        assert node.port.told == []

    run(talk)


def test_who_stays_who_they_were_follows_on_whatever_happens_to_others(node: GraphNode) -> None:
    async def talk() -> None:
        socket = await Socket(node, headers(node)).open()
        await socket.follow()
        await socket.batch()
        for begin, end, _ in (ENDINGS["a person leaves"], ENDINGS["a session is ended"]):
            begin(node.node)
            end(node.node)
        add(node, 7)
        assert (await socket.batch())[0] == ["7.00"]
        await socket.leave()

    run(talk)


def test_a_token_is_not_looked_at_while_nothing_is_written_about_it(
    node: GraphNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("interfirm.runtime.standings.LOOK_S", 0.001)
    looked = []
    monkeypatch.setattr("interfirm.runtime.standings.Standings._judge", lambda *given: looked.append(given))

    async def talk() -> None:
        socket = await Socket(node, by_token(node.node)).open()
        for _ in range(20):
            await asyncio.sleep(0.001)
        assert looked == []
        node.client("somebody", ALL)
        await asyncio.sleep(0)
        assert looked == []
        await socket.leave()

    run(talk)


CHANGES = """subscription($after: String, $of: [String!]) { _changes(after: $after, templates: $of) {
  cursor rows { number transaction made { ref template } ended { ref choice } moved { ref arrived to } } } }"""


def test_what_ends_is_told_with_the_choice_and_only_to_who_may_read_it(node: GraphNode) -> None:
    async def talk() -> None:
        everything = await Socket(node, headers(node)).open()
        others = await Socket(node, headers(node, "lea", READER.replace(operations=("*",)))).open()
        for socket in (everything, others):
            await socket.follow(CHANGES)
            assert (await socket.message())["payload"]["data"]["_changes"]["rows"] == []
        me = node.node.firm.name
        asker = node.node.client("kim", ALL)
        cash = {"issuer": me, "owner": me, "amount": {"amount": "9.00", "currency": "EUR"}}
        path = "/v1/contracts/cash.Cash"
        first = (await asker.asks("POST", path, json={"fields": cash})).headers["location"].rpartition("/")[2]
        halves = {
            "arguments": {"amounts": [{"amount": "4.00", "currency": "EUR"}, {"amount": "5.00", "currency": "EUR"}]}
        }
        assert (await asker.asks("POST", f"{path}/{first}/divide", json=halves)).status_code == 200
        node.port.commit("cash.Cash")
        found = (await everything.message())["payload"]["data"]["_changes"]
        one, two = found["rows"]
        assert [each["ref"] for each in one["made"]] == [first]
        assert (two["ended"], len(two["made"]), two["moved"]) == ([{"ref": first, "choice": "divide"}], 2, [])
        await everything.follow(CHANGES, name="2", after="0", of=["invoices.Invoice"])
        assert (await everything.message())["payload"]["data"]["_changes"] == {"cursor": "2", "rows": []}
        await everything.follow(CHANGES, name="3", after="1")
        assert (await everything.message())["payload"]["data"]["_changes"]["rows"] == [two]
        assert others.idle()
        await everything.leave()
        await others.leave()

    run(talk)


def test_changes_are_for_who_may_follow_them(node: GraphNode) -> None:
    async def talk() -> None:
        socket = await Socket(node, headers(node, "lea", READER)).open()
        await socket.follow(CHANGES)
        answer = (await socket.message())["payload"]
        assert answer["errors"][0]["extensions"]["code"] == "access.operation"
        await socket.leave()

    run(talk)


def test_a_client_can_stop_a_stream_and_ask_other_things(node: GraphNode) -> None:
    async def talk() -> None:
        socket = await Socket(node, headers(node)).open()
        await socket.follow()
        await socket.batch()
        await socket.send(type="complete", id="1")
        await socket.send(type="subscribe", id="2", payload={"query": "{ _caller }"})
        assert (await socket.message())["payload"] == {"data": {"_caller": "ann"}}
        assert await socket.message() == {"type": "complete", "id": "2"}
        add(node, 1)
        assert node.port.told == []
        assert socket.idle()
        await socket.leave()

    run(talk)


CLOSED: list[tuple[list[dict[str, Any]], int]] = [
    ([{"type": "subscribe", "id": "1", "payload": {"query": "{ _caller }"}}], 4401),
    ([{"type": "connection_init"}, {"type": "connection_init"}], 4429),
    ([{"type": "nothing"}], 4400),
    ([{"type": "connection_init"}, {"type": "subscribe", "payload": {}}], 4400),
    ([{"type": "connection_init"}, *[{"type": "subscribe", "id": "1", "payload": {"query": QUERY}}] * 2], 4409),
    (
        [
            {"type": "connection_init"},
            *[
                {"type": "subscribe", "id": str(n), "payload": {"query": QUERY}}
                for n in range(LIMITS.graphql_operations_count_max + 1)
            ],
        ],
        4429,
    ),
]


@pytest.mark.parametrize(("messages", "code"), CLOSED)
def test_a_client_that_breaks_the_protocol_is_closed(node: GraphNode, messages: list[Any], code: int) -> None:
    async def talk() -> None:
        socket = Socket(node, headers(node))
        await socket.got()
        for message in messages:
            await socket.send(**message)
        while (event := await socket.got())["type"] != "websocket.close":
            pass
        assert event["code"] == code
        await socket.task

    run(talk)


def test_who_is_not_known_is_not_let_in(node: GraphNode) -> None:
    async def talk() -> None:
        socket = Socket(node, {"Authorization": "Bearer nobody"})
        await socket.got()
        await socket.send(type="connection_init")
        assert (await socket.got())["code"] == 4403
        await socket.task

    run(talk)


def test_a_token_can_come_as_payload_as_browsers_send_no_headers(node: GraphNode) -> None:
    async def talk() -> None:
        socket = Socket(node, {})
        await socket.got()
        await socket.send(type="connection_init", payload=headers(node))
        assert await socket.message() == {"type": "connection_ack"}
        await socket.leave()

    run(talk)


def test_another_protocol_is_not_spoken(node: GraphNode) -> None:
    async def talk() -> None:
        socket = Socket(node, headers(node), protocol="graphql-ws")
        assert (await socket.got())["type"] == "websocket.close"
        await socket.task

    run(talk)


def test_people_of_the_same_roles_are_answered_once(node: GraphNode) -> None:
    async def talk() -> None:
        sockets = [await Socket(node, headers(node, name, READER)).open() for name in ("lea", "leo", "liz")]
        for socket in sockets:
            await socket.follow()
            await socket.batch()
        before = node.port.reads
        add(node, 10)
        assert [(await socket.batch())[0] for socket in sockets] == [["10.00"]] * 3
        assert node.port.reads == before + 2  # what the role says, and the answer
        for socket in sockets:
            await socket.leave()

    run(talk)


def test_people_whose_rules_depend_on_them_are_answered_each(node: GraphNode) -> None:
    own = json.dumps({"amount": {"_eq": {"amount": "$amount", "currency": "EUR"}}})
    role = Role("own", "Reads cash of one amount.", ("contracts.*",), (Rule("cash.Cash", read=True, rows=own),))

    async def talk() -> None:
        sockets = [
            await Socket(node, headers(node, name, role, variables=(("amount", amount),))).open()
            for name, amount in (("one", "1.00"), ("two", "2.00"))
        ]
        for socket in sockets:
            await socket.follow()
            await socket.batch()
        add(node, 1, 2)
        assert [(await socket.batch())[0] for socket in sockets] == [["1.00"], ["2.00"]]
        for socket in sockets:
            await socket.leave()

    run(talk)
