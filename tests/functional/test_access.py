"""What somebody with a role gets of a node beside single contracts: files, flows, request ids, approvals, the log."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.api.graphql.doors import Asker, GraphNode
from tests.unit.api.rest.nodes import Client, FirmNode, cash, made, nodes

from interfirm.base.errors import Refusal
from interfirm.node.access import audit
from interfirm.node.access.types import Caller, Role, Rule

HIDING = Role(
    name="hiding", about="Sees amounts, and not whose.", operations=("contracts.*", "proof.*"),
    rules=(Rule(template="cash.Cash", read=True, hidden=("owner",)),),
)  # fmt: skip
JSON: dict[str, Any] = {"headers": {"Idempotency-Key": "one"}}


@pytest.fixture
def node() -> Iterator[FirmNode]:
    with nodes(2) as found:
        yield found[0]


@pytest.fixture
def clerk(node: FirmNode) -> Client:
    return node.client("anna", "clerk")


def code_of(node: FirmNode, caller: Caller, name: str, arguments: dict[str, Any]) -> str:
    with pytest.raises(Refusal) as refused:
        node.desk.of(caller).handle(name, arguments)
    return refused.value.code


def test_from_afar_a_path_names_no_file(node: FirmNode, clerk: Client) -> None:
    caller = Caller(name="anna", roles=("clerk",), door="token")
    for name in ("invoice.import", "invoice.credit", "payment.statement"):
        assert code_of(node, caller, name, {"path": "/etc/passwd"}) == "access.path"


def test_a_hidden_field_is_in_no_answer_and_no_proof(node: FirmNode, clerk: Client) -> None:
    place = made(clerk.post("/v1/contracts/cash.Cash", json=cash(node, owner="firm1")))
    hiding = node.client("hugo", HIDING)
    for shown in (hiding.get(place), hiding.get("/v1/contracts/cash.Cash"), hiding.get(f"{place}/history")):
        assert shown.status_code == 200, shown.text
        assert '"amount"' in shown.text
        assert '"owner":' not in shown.text
        assert "firm1" not in shown.text
    door = Asker(GraphNode(node).app, hiding)
    seen = door.data("{ cash_Cash { rows { _signatories _observers amount { amount } } } }")
    row = {"_signatories": ["firm0"], "_observers": [], "amount": {"amount": "100.00"}}
    assert seen == {"cash_Cash": {"rows": [row]}}
    assert door.post("{ cash_Cash { rows { owner } } }").json().get("data") is None
    caller = Caller(name="hugo", roles=("hiding",), door="token")
    ref = place.rpartition("/")[2]
    assert code_of(node, caller, "proof.export", {"ref": ref, "fields": ["owner"]}) == "access.field"
    assert (
        code_of(node, caller, "contracts.list", {"template": "cash.Cash", "where": {"owner": "firm0"}})
        == "access.field"
    )
    assert code_of(node, caller, "contracts.list", {"template": "cash.Cash", "order_by": "-owner"}) == "access.field"
    whole = node.desk.handle("proof.export", {"ref": ref})
    partial = node.desk.of(caller).handle("proof.export", {"ref": ref})
    assert isinstance(whole, dict)
    assert isinstance(partial, dict)
    assert len(partial["bundle"]) < len(whole["bundle"])


def test_flows_of_others_are_not_there(node: FirmNode, clerk: Client) -> None:
    clerk.post("/v1/contracts/cash.Cash", json=cash(node))
    (mine,) = clerk.get("/v1/flows").json()["flows"]
    other, auditor = node.client("bert", "clerk"), node.client("otto", "auditor")
    assert other.get("/v1/flows").json()["flows"] == []
    assert other.get(f"/v1/flows/{mine['id']}").status_code == 404
    assert other.post(f"/v1/flows/{mine['id']}/cancel", json={}).status_code == 404
    assert mine["id"] in [flow["id"] for flow in auditor.get("/v1/flows").json()["flows"]]


def test_two_callers_may_choose_one_request_id_and_learn_nothing_of_each_other(node: FirmNode, clerk: Client) -> None:
    first = clerk.post("/v1/contracts/cash.Cash", json=cash(node), **JSON)
    second = node.client("bert", "clerk").post("/v1/contracts/cash.Cash", json=cash(node, "7.00"), **JSON)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.headers["location"] != second.headers["location"]


def test_what_the_matrix_asks_for_waits_and_is_done_once_somebody_else_agreed(node: FirmNode, clerk: Client) -> None:
    line = {"name": "large", "template": "cash.Cash", "choice": "create", "field": "amount", "above": "50.00 EUR"}
    node.desk.handle("access.approvals-put", {"lines": [line]})
    small = clerk.post("/v1/contracts/cash.Cash", json=cash(node, "50.00"))
    large = clerk.post("/v1/contracts/cash.Cash", json=cash(node, "50.01"))
    assert (small.status_code, large.status_code) == (201, 202)
    waiting = large.json()["approval"]["id"]
    assert clerk.post(f"/v1/approvals/{waiting}", json={"approve": True}).status_code == 403
    approver = node.client("carl", "approver")
    assert approver.post(f"/v1/approvals/{waiting}", json={"approve": True}).json()["state"] == "done"
    amounts = [c["fields"]["amount"]["amount"] for c in clerk.get("/v1/contracts/cash.Cash").json()["contracts"]]
    assert sorted(amounts) == ["50.00", "50.01"]
    again = approver.post(f"/v1/approvals/{waiting}", json={"approve": True})
    assert again.json()["code"] == "access.approval"


def test_whoever_left_meanwhile_gets_nothing_done(node: FirmNode, clerk: Client) -> None:
    node.desk.handle("access.approvals-put", {"lines": [{"name": "all"}]})
    waiting = clerk.post("/v1/contracts/cash.Cash", json=cash(node)).json()["approval"]["id"]
    node.desk.handle("access.person-put", {"name": "anna", "active": False})
    answer = node.client("carl", "approver").post(f"/v1/approvals/{waiting}", json={"approve": True})
    assert answer.json()["code"] == "access.approval"
    assert clerk.get("/v1/contracts/cash.Cash").status_code == 401


def test_what_people_change_and_what_they_may_not_is_in_the_log(node: FirmNode, clerk: Client) -> None:
    clerk.post("/v1/contracts/cash.Cash", json=cash(node))
    clerk.get("/v1/contracts/cash.Cash")
    node.client("vera", "viewer").post("/v1/contracts/cash.Cash", json=cash(node))
    with node.firm.vault.read() as turn:
        logged = [(e.caller, e.operation, e.outcome) for e in audit.entries(turn)]
        assert audit.check_chain(turn)[0] == len(logged)
    assert ("anna", "create", "done") in logged
    assert ("vera", "create", "access.operation") in logged
    assert not [each for each in logged if each[1] == "contracts.list"]
