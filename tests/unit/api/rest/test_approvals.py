"""What the firm's approval matrix asks for waits, over HTTP too, until somebody else agrees."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from interfirm.node.access import approvals
from interfirm.node.access.approvals import Line

from .nodes import Client, FirmNode, cash, nodes

PATH = "/v1/contracts/cash.Cash"


@pytest.fixture
def node() -> Iterator[FirmNode]:
    with nodes(1) as found:
        with found[0].firm.vault.turn() as turn:
            approvals.put_matrix(turn, [Line(name="four eyes", approvals=1, template="cash.Cash")])
        yield found[0]


@pytest.fixture
def clerk(node: FirmNode) -> Client:
    return node.client("ann", "clerk", "approver")


def test_a_contract_is_made_when_somebody_else_approves(node: FirmNode, clerk: Client) -> None:
    asked = clerk.post(PATH, json=cash(node))
    assert asked.status_code == 202
    waiting = asked.json()["approval"]
    assert waiting["does"][0]["fields"]["amount"] == {"amount": "100.00", "currency": "EUR"}
    assert [each["id"] for each in clerk.get(asked.headers["location"]).json()["approvals"]] == [waiting["id"]]
    alone = clerk.post(f"/v1/approvals/{waiting['id']}", json={"approve": True})
    assert (alone.status_code, alone.json()["code"]) == (403, "access.four-eyes")
    both = node.client("bob", "approver").post(f"/v1/approvals/{waiting['id']}", json={"approve": True})
    assert (both.status_code, both.json()["state"]) == (200, "done")
    assert len(clerk.get(PATH).json()["contracts"]) == 1


@pytest.mark.parametrize("how", ["decline", "withdraw"])
def test_what_is_declined_or_taken_back_is_not_done(node: FirmNode, clerk: Client, how: str) -> None:
    name = clerk.post(PATH, json=cash(node)).json()["approval"]["id"]
    if how == "decline":
        other, body = node.client("bob", "approver"), {"approve": False, "reason": "too much"}
        ended = other.post(f"/v1/approvals/{name}", json=body)
    else:
        ended = clerk.post(f"/v1/approvals/{name}/withdraw")
    assert ended.status_code == 200, ended.text
    assert ended.json()["approval"]["state"] in ("declined", "withdrawn")
    assert clerk.get(PATH).json()["contracts"] == []
    again = node.client("cas", "approver").post(f"/v1/approvals/{name}", json={"approve": True})
    assert (again.status_code, again.json()["code"]) == (409, "access.approval")


def test_what_is_asked_twice_under_one_key_waits_once(node: FirmNode, clerk: Client) -> None:
    first, again = (clerk.post(PATH, json=cash(node), headers={"Idempotency-Key": "k"}) for _ in range(2))
    assert first.json() == again.json()
    assert len(clerk.get("/v1/approvals").json()["approvals"]) == 1


def test_nothing_waits_under_an_unknown_id(clerk: Client) -> None:
    answer = clerk.post("/v1/approvals/none", json={"approve": True})
    assert (answer.status_code, answer.json()["code"]) == (409, "access.approval")
