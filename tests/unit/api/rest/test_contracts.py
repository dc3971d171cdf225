"""Contracts over HTTP: made, listed, shown, proved and chosen on, with a preview before and a clear no."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from .nodes import Client, FirmNode, cash, made, nodes

TO_OTHER: dict[str, Any] = {"to": "firm1", "amount": {"amount": "30.00", "currency": "EUR"}}


@pytest.fixture(scope="module")
def pair() -> Iterator[list[FirmNode]]:
    with nodes(2) as found:
        yield found


@pytest.fixture(scope="module")
def node(pair: list[FirmNode]) -> FirmNode:
    return pair[0]


@pytest.fixture(scope="module")
def clerk(node: FirmNode) -> Client:
    return node.client("ann", "clerk")


@pytest.fixture
def held(node: FirmNode, clerk: Client) -> str:
    return made(clerk.post("/v1/contracts/cash.Cash", json=cash(node)))


def test_a_contract_is_made_and_shown_where_its_location_says(clerk: Client, held: str) -> None:
    shown = clerk.get(held).json()
    assert shown["template"] == "cash.Cash"
    assert shown["status"] == "active"
    assert shown["fields"] == {
        "issuer": "firm0", "owner": "firm0", "amount": {"amount": "100.00", "currency": "EUR"},
    }  # fmt: skip


def test_a_choice_is_previewed_without_being_made(clerk: Client, held: str) -> None:
    preview = clerk.post(f"{held}/move?dry_run=true", json={"arguments": TO_OTHER})
    assert preview.status_code == 200
    assert preview.json()["signers"] == ["firm0"]
    assert [each["owner"] for each in preview.json()["creates"]] == ["firm1", "firm0"]
    assert clerk.get(held).json()["status"] == "active"


def test_a_contract_is_previewed_without_being_made(node: FirmNode, clerk: Client) -> None:
    before = clerk.get("/v1/contracts/cash.Cash", params={"status": "all", "limit": "1000"}).json()
    preview = clerk.post("/v1/contracts/cash.Cash?dry_run=true", json=cash(node, "7.00"))
    assert preview.status_code == 200, preview.text
    assert preview.json()["creates"][0]["amount"] == {"amount": "7.00", "currency": "EUR"}
    assert clerk.get("/v1/contracts/cash.Cash", params={"status": "all", "limit": "1000"}).json() == before


def test_a_preview_says_why_not(clerk: Client, held: str) -> None:
    too_much = {**TO_OTHER, "amount": {"amount": "100.01", "currency": "EUR"}}
    answer = clerk.post(f"{held}/move?dry_run=true", json={"arguments": too_much})
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "contract.require"
    assert answer.json()["title"] == "this cash does not cover the amount"


def test_a_choice_changes_both_vaults(pair: list[FirmNode], clerk: Client, held: str) -> None:
    answer = clerk.post(f"{held}/move", json={"arguments": TO_OTHER})
    assert answer.status_code == 200
    assert answer.json()["state"] == "done"
    transaction = answer.json()["result"]["transaction"]
    other = pair[1].client("bob", "viewer")
    assert other.get(f"/v1/contracts/cash.Cash/{transaction}:1").json()["fields"]["owner"] == "firm1"
    assert clerk.get(held).json()["status"] == "consumed"


def test_a_contract_that_was_used_is_a_conflict(clerk: Client, held: str) -> None:
    assert clerk.post(f"{held}/move", json={"arguments": TO_OTHER}).status_code == 200
    again = clerk.post(f"{held}/move", json={"arguments": TO_OTHER})
    assert again.status_code == 409
    assert again.json()["code"] == "vault.not-active"


def test_lists_go_on_from_page_to_page(node: FirmNode, clerk: Client) -> None:
    for amount in ("1.01", "1.02", "1.03"):
        made(clerk.post("/v1/contracts/cash.Cash", json=cash(node, amount)))
    query = {"order_by": "-amount", "limit": "2", "where": json.dumps({"amount": ["le", "1.03 EUR"]})}
    amounts: list[str] = []
    after: str | None = None
    while True:
        page = clerk.get("/v1/contracts/cash.Cash", params=query | ({"after": after} if after else {})).json()
        amounts += [each["fields"]["amount"]["amount"] for each in page["contracts"]]
        after = page["next"]
        if after is None:
            break
    assert amounts[:3] == ["1.03", "1.02", "1.01"]


def test_a_list_tells_how_many_there_are_in_all_and_orders_by_several_fields(node: FirmNode, clerk: Client) -> None:
    for amount in ("7.01", "7.02", "7.02"):
        made(clerk.post("/v1/contracts/cash.Cash", json=cash(node, amount)))
    among = {"_and": [{"amount": {"_gt": "7.00 EUR"}}, {"_not": {"amount": {"_gte": "8.00 EUR"}}}]}
    query = {"order_by": "owner,-amount", "limit": "1", "where": json.dumps(among), "total": "true"}
    page = clerk.get("/v1/contracts/cash.Cash", params=query).json()
    assert page["total"] == {"count": 3, "exact": True}
    assert page["contracts"][0]["fields"]["amount"]["amount"] == "7.02"
    notary = page["contracts"][0]["notary"]
    refused = clerk.get("/v1/contracts/cash.Cash", params={"total": "true", "notary": notary})
    assert refused.json()["code"] == "form.fields"


def test_a_search_in_a_template_without_texts_finds_nothing(clerk: Client, held: str) -> None:
    assert clerk.get("/v1/contracts/cash.Cash", params={"search": "bolt*"}).json()["contracts"] == []
    assert clerk.get("/v1/contracts/cash.Cash", params={"search": "bolt " * 17}).json()["code"] == "vault.where"


def test_a_contract_that_did_not_change_is_not_sent_again(clerk: Client, held: str) -> None:
    tag = clerk.get(held).headers["etag"]
    again = clerk.get(held, headers={"If-None-Match": tag})
    assert again.status_code == 304
    assert again.content == b""
    assert clerk.get(held, headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_contract_is_found_under_its_own_template_alone(clerk: Client, held: str) -> None:
    other = held.replace("cash.Cash", "cash.Redemption")
    assert clerk.get(other).status_code == 404
    assert clerk.post(f"{held}/move".replace("cash.Cash", "invoices.Invoice"), json={}).status_code == 404


def test_a_history_and_a_proof_are_shown(clerk: Client, held: str) -> None:
    assert [each["ref"] for each in clerk.get(f"{held}/history").json()["history"]] == [held.rpartition("/")[2]]
    whole, part = (clerk.get(f"{held}/proof{query}").json()["bundle"] for query in ("", "?fields=owner,issuer"))
    assert len(bytes.fromhex(part)) < len(bytes.fromhex(whole))


@pytest.mark.parametrize("path", [
    "/v1/contracts/cash.Nothing", "/v1/contracts/cash.Cash/" + "0" * 64 + ":0", "/v1/flows/none", "/v1/nothing",
    "/v1/contracts/cash.Cash/../../../etc/passwd",
])  # fmt: skip
def test_what_is_not_there_is_not_found(clerk: Client, path: str) -> None:
    answer = clerk.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_flow_that_is_not_waited_for_is_found_later(node: FirmNode, clerk: Client) -> None:
    answer = clerk.post("/v1/contracts/cash.Cash", json=cash(node), headers={"Prefer": "respond-async"})
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "respond-async"
    assert answer.json()["state"] in ("running", "waiting")
    node.world.run(60_000)
    assert clerk.get(answer.headers["location"]).json()["state"] == "done"


def test_a_flow_that_takes_longer_than_its_caller_waits_goes_on(pair: list[FirmNode], clerk: Client) -> None:
    bill = cash(pair[0], owner="firm1")
    answer = clerk.post("/v1/contracts/cash.Cash", json=bill, headers={"Prefer": "wait=0"})
    assert answer.status_code == 202
    pair[0].world.run(60_000)
    assert clerk.get(answer.headers["location"]).json()["state"] == "done"


def test_a_flow_that_ended_cannot_be_cancelled(node: FirmNode, clerk: Client, held: str) -> None:
    flow = clerk.get("/v1/flows", params={"limit": "1"}).json()["flows"][0]["id"]
    answer = clerk.post(f"/v1/flows/{flow}/cancel")
    assert (answer.status_code, answer.json()["title"]) == (404, "there is no such running flow")
    assert clerk.get(f"/v1/flows/{flow}").json()["state"] == "done"


def test_it_says_who_asks_and_whose_node_it_is(node: FirmNode, clerk: Client) -> None:
    me = clerk.get("/v1/me").json()
    assert (me["name"], me["roles"], me["node"]["name"]) == ("ann", ["clerk"], "firm0")


def test_anybody_may_ask_whether_the_node_is_well(node: FirmNode) -> None:
    stranger = node.stranger()
    assert stranger.get("/health").json() == {"status": "alive"}
    assert stranger.get("/ready").json() == {"status": "ready"}
    node.storage.failure = type("Failure", (), {"code": "vault.storage"})()
    try:
        assert stranger.get("/ready").status_code == 503
    finally:
        node.storage.failure = None
