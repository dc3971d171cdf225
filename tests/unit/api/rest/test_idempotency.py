"""The same request under the same key is carried out once; another one under it is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from interfirm.api.rest.app import rest_app
from interfirm.api.rest.idempotency import Answers
from interfirm.base.limits import LIMITS

from .nodes import Client, FirmNode, cash, made, nodes

PATH = "/v1/contracts/cash.Cash"
KEY = {"Idempotency-Key": "order-4711"}


@pytest.fixture
def node() -> Iterator[FirmNode]:
    with nodes(1) as found:
        yield found[0]


@pytest.fixture
def clerk(node: FirmNode) -> Client:
    return node.client("ann", "clerk")


def count(clerk: Client) -> int:
    return len(clerk.get(PATH, params={"status": "all"}).json()["contracts"])


def test_the_same_request_is_answered_alike_and_done_once(node: FirmNode, clerk: Client) -> None:
    first, again = (clerk.post(PATH, json=cash(node), headers=KEY) for _ in range(2))
    assert made(again) == made(first)
    assert again.content == first.content
    assert again.headers["idempotency-replayed"] == "true"
    assert count(clerk) == 1


def test_another_body_under_the_key_is_a_conflict(node: FirmNode, clerk: Client) -> None:
    made(clerk.post(PATH, json=cash(node), headers=KEY))
    other = clerk.post(PATH, json=cash(node, "1.00"), headers=KEY)
    assert (other.status_code, other.json()["code"]) == (409, "http.key-reused")
    assert count(clerk) == 1


def test_a_key_is_its_callers_own(node: FirmNode, clerk: Client) -> None:
    made(clerk.post(PATH, json=cash(node), headers=KEY))
    made(node.client("bob", "clerk").post(PATH, json=cash(node, "1.00"), headers=KEY))
    assert count(clerk) == 2


def test_a_request_that_was_refused_before_it_began_leaves_the_key_free(node: FirmNode, clerk: Client) -> None:
    wrong = clerk.post(PATH, json=cash(node, owner="nobody"), headers=KEY)
    assert wrong.status_code == 422
    made(clerk.post(PATH, json=cash(node), headers=KEY))


def test_a_flow_that_was_refused_is_answered_alike(node: FirmNode, clerk: Client) -> None:
    first, again = (clerk.post(PATH, json=cash(node, "0.00"), headers=KEY) for _ in range(2))
    assert first.status_code == again.status_code == 422
    assert first.json() == again.json()


def test_a_request_that_is_under_way_is_not_begun_again(node: FirmNode, clerk: Client) -> None:
    async def both() -> list[Any]:
        return await asyncio.gather(*(clerk.asks("POST", PATH, json=cash(node), headers=KEY) for _ in range(2)))

    entered = asyncio.Event()
    handle = node.handle

    async def slow(*given: Any) -> Any:
        entered.set()
        await asyncio.sleep(0)
        return await handle(*given)

    node.handle = slow  # type: ignore[method-assign] # only to let the second request in between
    codes = sorted(answer.status_code for answer in asyncio.run(both()))
    assert codes in ([201, 201], [201, 409])
    assert count(clerk) == 1


def test_a_node_that_died_over_a_request_finds_its_flow_again(
    node: FirmNode, clerk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Answers, "_settle", die)
        with pytest.raises(KeyboardInterrupt):
            clerk.post(PATH, json=cash(node), headers=KEY)
    restarted = rest_app(node.port, Answers(node.firm.vault, node.firm.clock_ms))
    again = Client(restarted, clerk.headers["Authorization"].removeprefix("Bearer "))
    made(again.post(PATH, json=cash(node), headers=KEY))
    assert count(clerk) == 1


def test_an_answer_is_kept_for_its_time_and_then_forgotten(node: FirmNode, clerk: Client) -> None:
    made(clerk.post(PATH, json=cash(node), headers=KEY))
    node.world.run(LIMITS.idempotency_keep_ms + 1)
    node.world.agenda.now_ms += LIMITS.idempotency_keep_ms + 1
    made(clerk.post(PATH, json=cash(node, "1.00"), headers={"Idempotency-Key": "another"}))
    with node.firm.vault.read() as turn:
        assert len(turn.blobs("http-answers")) == len(turn.blobs("http-answers-end")) == 1


def test_a_preview_binds_no_key(node: FirmNode, clerk: Client) -> None:
    held = made(clerk.post(PATH, json=cash(node)))
    halves = {"arguments": {"amounts": [{"amount": "50.00", "currency": "EUR"}] * 2}}
    assert clerk.post(f"{held}/divide?dry_run=true", json=halves, headers=KEY).status_code == 200
    assert clerk.post(f"{held}/divide", json=halves, headers=KEY).status_code == 200
    assert clerk.get(held).json()["status"] == "consumed"


@pytest.mark.parametrize("key", ["", "with space", "k" * (LIMITS.idempotency_key_chars_max + 1)])
def test_a_key_that_is_none_is_refused(node: FirmNode, clerk: Client, key: str) -> None:
    answer = clerk.post(PATH, json=cash(node), headers={"Idempotency-Key": key})
    assert (answer.status_code, answer.json()["code"]) == (400, "http.shape")
