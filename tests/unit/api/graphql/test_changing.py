"""Making contracts and choosing on them in GraphQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.unit.api.graphql.doors import ALL, CASH, GraphNode, graph_nodes, issue

from interfirm.node.access.types import Role, Rule


@pytest.fixture(scope="module")
def node() -> Iterator[GraphNode]:
    with graph_nodes() as made:
        yield made[0]


def test_a_choice_is_made_once_under_one_request(node: GraphNode) -> None:
    ref = issue(node, node.all(), "10.00")
    move = """mutation($ref: ID!, $to: String!) { cash_Cash_move(ref: $ref, request: "once",
        arguments: {to: $to, amount: {amount: "4.00", currency: "EUR"}}) { state created code reason } }"""
    to = node.node.desk.names.name_of(node.node.desk.names.organisations()[1])
    first = node.all().data(move, ref=ref, to=to)["cash_Cash_move"]
    assert first["state"] == "done", first
    assert len(first["created"]) == 2
    assert node.all().data(move, ref=ref, to=to)["cash_Cash_move"] == first


def test_something_else_under_the_id_of_a_request_is_refused(node: GraphNode) -> None:
    me = node.node.firm.name
    mine = {"amount": "3.00", "owner": me, "issuer": me, "request": "order-4711"}
    ref = issue(node, node.all(), "3.00", request="order-4711")
    assert node.all().code(CASH, variables={**mine, "amount": "30.00"}) == "http.key-reused"
    assert issue(node, node.all(), "3.00", request="order-4711") == ref
    bob = node.client("bob", ALL)
    assert issue(node, bob, "30.00", request="order-4711") != ref


def test_what_was_refused_before_it_began_leaves_the_id_of_its_request_free(node: GraphNode) -> None:
    me = node.node.firm.name
    wrong = {"amount": "3.00", "owner": "nobody", "issuer": me, "request": "second"}
    assert node.all().code(CASH, variables=wrong) == "directory.unknown"
    assert issue(node, node.all(), "3.00", request="second")


def test_a_dry_run_does_nothing(node: GraphNode) -> None:
    before = node.all().data("{ cash_Cash_aggregate(status: all) { _count } }")
    found = node.all().data(
        CASH.replace("request: $request", "request: $request, dry_run: true").replace(
            "state transaction created code reason", "preview state"
        ),
        amount="1.00", owner=node.node.firm.name, issuer=node.node.firm.name,
    )["cash_Cash_create"]  # fmt: skip
    assert found["preview"]["creates"][0]["amount"] == {"amount": "1.00", "currency": "EUR"}
    assert found["state"] is None
    assert node.all().data("{ cash_Cash_aggregate(status: all) { _count } }") == before


def test_what_a_contract_refuses_is_told_with_its_code(node: GraphNode) -> None:
    me = node.node.firm.name
    flow = node.all().data(CASH, amount="-1.00", owner=me, issuer=me)["cash_Cash_create"]
    assert (flow["state"], flow["code"], flow["created"]) == ("refused", "contract.require", [])


def test_who_may_only_read_finds_no_way_to_change(node: GraphNode) -> None:
    reader = node.client("rob", Role("reads", "Reads.", ("contracts.*",), (Rule("cash.Cash", read=True),)))
    assert reader.code(CASH, variables={"amount": "1.00", "owner": "x", "issuer": "y"}) == "graphql.invalid"
    assert reader.data("{ __schema { mutationType { name } } }")["__schema"]["mutationType"] is None
