"""Sessions and streams of a group's people at its entities: guarded as at the host, and ended with what ends there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.unit.api.graphql.doors import GraphNode
from tests.unit.api.graphql.test_streaming import Socket
from tests.unit.api.groups import ORIGIN, Group, a_group, asked, at
from tests.unit.api.rest.nodes import Client, FirmNode, cash
from tests.unit.api.rest.test_events import Stream

from interfirm.api.graphql.streaming import FORBIDDEN
from interfirm.node.access import sessions

CASH = "/v1/contracts/cash.Cash"
STREAM = "subscription { cash_Cash_stream { cursor rows { amount { amount } } } }"


@pytest.fixture
def group() -> Iterator[Group]:
    with a_group() as made:
        yield made


@pytest.fixture
def entity(group: Group) -> FirmNode:
    return group.entities[0]


def signed_in(group: Group, name: str, *roles: str) -> Client:
    """A page of the host's where a person has signed in."""
    asked(group.host, "access.person-put", name=name, roles=list(roles))
    now_ms, random = group.host.firm.clock_ms(), group.host.firm.random.randbytes
    with group.host.firm.vault.turn() as turn:
        _, text = sessions.opened(turn, name, "password", sessions.Client("192.0.2.1"), now_ms=now_ms, random=random)
    client = Client(group.app, None)
    client.headers = {
        "Cookie": f"__Host-interfirm-session={text}", "Host": ORIGIN.removeprefix("https://"), "Origin": ORIGIN,
        "X-CSRF-Token": sessions.csrf_token(text),
    }  # fmt: skip
    return client


def test_who_signed_in_at_the_host_is_in_at_every_entity_with_a_role(group: Group, entity: FirmNode) -> None:
    anna = signed_in(group, "anna", "clerk@firm1")
    assert anna.get(at(entity, "/v1/me")).json()["name"] == "firm0/anna"
    assert anna.post(at(entity, CASH), json=cash(entity)).status_code == 201
    [entry] = [each for each in asked(entity, "access.audit")["entries"] if each["operation"] == "create"]
    assert (entry["caller"], entry["door"]) == ("firm0/anna", "session")


@pytest.mark.parametrize(
    ("header", "value", "code"),
    [
        ("X-CSRF-Token", "", "access.csrf"), ("X-CSRF-Token", "0" * 64, "access.csrf"),
        ("Origin", "https://elsewhere.example", "http.origin"), ("Cookie", "", "access.unknown-caller"),
    ],
)  # fmt: skip
def test_a_session_is_guarded_at_an_entity_as_at_the_host(
    group: Group, entity: FirmNode, header: str, value: str, code: str
) -> None:
    anna = signed_in(group, "anna", "clerk@*")
    anna.headers[header] = value
    for node, path in ((group.host, CASH), (entity, at(entity, CASH))):
        answer = anna.post(path, json=cash(node))
        assert answer.json()["code"] == code, answer.text


def test_a_session_that_ends_at_the_host_has_ended_everywhere(group: Group, entity: FirmNode) -> None:
    anna = signed_in(group, "anna", "clerk@*")
    asked(group.host, "access.session-end", person="anna")
    for path in ("/v1/me", at(entity, "/v1/me")):
        assert anna.get(path).status_code == 401


def _revoked(group: Group) -> None:
    for token in asked(group.host, "access.tokens")["tokens"]:
        asked(group.host, "access.token-revoke", id=token["id"])


ENDS: dict[str, tuple[Callable[[Group], Any], str]] = {
    "the person leaves the host": (lambda group: group.leaves("anna"), "access.left"),
    "the role there is taken away": (
        lambda group: asked(group.host, "access.person-put", name="anna", roles=["viewer"]), "access.changed",
    ),
    "the role there is another": (
        lambda group: asked(group.host, "access.person-put", name="anna", roles=["auditor@firm1"]), "access.changed",
    ),
    "the token is revoked": (_revoked, "access.revoked"),
}  # fmt: skip


def inside(group: Group, entity: FirmNode) -> Any:
    """The entity's doors, as if they were at the root."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await group.app({**scope, "path": at(entity, scope["path"])}, receive, send)

    return application


@pytest.mark.parametrize("ending", ENDS)
def test_a_guests_stream_of_changes_ends_when(group: Group, entity: FirmNode, ending: str) -> None:
    end, code = ENDS[ending]
    client = group.person("anna", "viewer@firm1")
    client.app = inside(group, entity)

    async def both() -> dict[str, Any]:
        stream = Stream(client)
        task = asyncio.ensure_future(stream.run())
        await stream.begun()
        await asyncio.sleep(0)
        end(group)
        async with asyncio.timeout(60):
            await task
            return await stream.data()

    assert asyncio.run(both())["code"] == code


@pytest.mark.parametrize("ending", ENDS)
def test_a_guests_graphql_stream_ends_when(group: Group, entity: FirmNode, ending: str) -> None:
    end, code = ENDS[ending]
    client = group.person("anna", "viewer@firm1")
    doors = cast("GraphNode", SimpleNamespace(app=inside(group, entity)))

    async def both() -> dict[str, Any]:
        socket = await Socket(doors, client.headers).open()
        await socket.follow(STREAM)
        assert (await socket.batch())[0] == []
        end(group)
        return await socket.closed()

    assert code in asyncio.run(both())["reason"]


def test_no_graphql_stream_opens_at_an_entity_without_a_role_there(group: Group, entity: FirmNode) -> None:
    client = group.person("anna", "viewer")
    doors = cast("GraphNode", SimpleNamespace(app=inside(group, entity)))

    async def both() -> tuple[str, int]:
        socket = Socket(doors, client.headers)
        assert (await socket.got())["type"] == "websocket.accept"
        await socket.send(type="connection_init")
        ended = await socket.got()
        return ended["type"], ended["code"]

    assert asyncio.run(both()) == ("websocket.close", FORBIDDEN)
