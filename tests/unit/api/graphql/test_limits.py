"""Queries that are made to hurt, and queries that are known by their hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator

import pytest
from graphql import get_introspection_query
from tests.unit.api.graphql.doors import Asker, GraphNode, graph_nodes

from interfirm.base.limits import LIMITS


@pytest.fixture(scope="module")
def node() -> Iterator[GraphNode]:
    with graph_nodes() as made:
        yield made[0]


@pytest.fixture(scope="module")
def asker(node: GraphNode) -> Asker:
    return node.all()


def deep(levels: int) -> str:
    inner = "number"
    for _ in range(levels):
        inner = f"invoices_AutoAcceptance_by_agreement(limit: 1) {{ agreement {{ {inner} }} }}"
    return f"{{ agreements_Agreement(limit: 1) {{ rows {{ {inner} }} }} }}"


def fragments(levels: int) -> str:
    """Each fragment holds the next one twice."""
    spread = [f"fragment f{n} on Query {{ ...f{n + 1} ...f{n + 1} }}" for n in range(levels)]
    return f"{{ ...f0 }} {' '.join(spread)} fragment f{levels} on Query {{ _caller }}"


BOMBS = [
    (deep(10), "graphql.depth"),
    ("{" + " a: _caller" * (LIMITS.graphql_roots_count_max + 1) + "}", "graphql.fields"),
    ("{ cash_Cash { rows {" + " _ref" * (LIMITS.graphql_fields_count_max + 1) + "} } }", "graphql.fields"),
    (fragments(30), "graphql.fields"),
    ("{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }", "graphql.fragment"),
    ("{ " + "a { " * 100 + "a" + " }" * 101, "graphql.depth"),
    ("{ _caller }" + " " * LIMITS.graphql_query_bytes_max, "graphql.size"),
    ("{ _caller " + "@a" * LIMITS.graphql_tokens_count_max + "}", "graphql.syntax"),
    ("{ agreements_Agreement(limit: 1000) { rows { invoices_AutoAcceptance_by_agreement(limit: 1000) { _ref } } } }",
     "graphql.cost"),
]  # fmt: skip


@pytest.mark.parametrize(("query", "code"), BOMBS)
def test_a_query_that_is_made_to_hurt_is_refused(asker: Asker, query: str, code: str) -> None:
    assert asker.code(query) == code


def test_the_cost_of_variables_counts(asker: Asker) -> None:
    query = """query($n: Int) { agreements_Agreement(limit: $n) { rows {
        invoices_AutoAcceptance_by_agreement(limit: $n) { _ref } } } }"""
    assert asker.data(query, n=10)
    assert asker.code(query, variables={"n": 1000}) == "graphql.cost"


def test_a_schema_can_be_asked_for_whole(asker: Asker) -> None:
    found = asker.data(get_introspection_query())
    assert found["__schema"]["subscriptionType"]["name"] == "Subscription"


def test_a_query_is_known_by_its_hash_once_it_came(asker: Asker) -> None:
    query = "{ _caller __typename }"
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": hashlib.sha256(query.encode()).hexdigest()}}
    assert asker.post(None, extensions=extensions).json()["errors"][0]["extensions"]["code"] == (
        "graphql.persisted-unknown"
    )
    assert asker.post(query, extensions=extensions).json()["data"]["_caller"] == "ann"
    parameters = {"extensions": json.dumps(extensions)}
    assert asker.client.get("/graphql", params=parameters).json()["data"]["_caller"] == "ann"
    assert asker.code("{ _caller }", extensions=extensions) == "graphql.persisted-hash"


def test_what_changes_something_is_not_got(asker: Asker) -> None:
    money = '{amount: "1", currency: "EUR"}'
    query = f'mutation {{ cash_Cash_create(fields: {{issuer: "a", owner: "b", amount: {money}}}) {{ id }} }}'
    answer = asker.client.get("/graphql", params={"query": query})
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "graphql.operation"


SHAPES: list[object] = [
    [], {"query": 1}, {"query": "{ _caller }", "more": 1}, {"variables": []},
    {"extensions": {"persistedQuery": {"sha256Hash": 1}}},
]  # fmt: skip


@pytest.mark.parametrize("body", SHAPES)
def test_a_request_of_another_shape_is_refused(asker: Asker, body: object) -> None:
    answer = asker.client.post("/graphql", json=body)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["extensions"]["code"] == "graphql.shape"


def test_what_a_page_of_another_site_can_send_is_refused(asker: Asker) -> None:
    answer = asker.client.post("/graphql", content='{"query": "{ _caller }"}', headers={"Content-Type": "text/plain"})
    assert answer.json()["errors"][0]["extensions"]["code"] == "http.media-type"


def test_faults_tell_nothing(node: GraphNode, asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr("interfirm.node.vault.turn.Turn.select", fail)
    answer = asker.post("{ cash_Cash { next } }")
    assert answer.json()["errors"][0]["extensions"]["code"] == "node.fault"
    assert "secret" not in answer.text
