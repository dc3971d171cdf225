"""What roles let somebody see and do in GraphQL."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from tests.unit.api.graphql.doors import Asker, GraphNode, graph_nodes
from tests.unit.api.graphql.test_queries import traded
from tests.unit.node.vault.samples import bytes32

from interfirm.contracts.language import Ref
from interfirm.node.access.types import Role, Rule
from interfirm.node.forms import ref_text

LARGE = json.dumps({"amount_max": {"_gte": {"amount": "20.00", "currency": "EUR"}}})
SECOND = json.dumps({"number": {"_eq": "F-1"}})
READER = Role(
    "reader", "Reads the larger acceptances, and one agreement.", ("contracts.*",),
    (
        Rule("invoices.AutoAcceptance", read=True, rows=LARGE, hidden=("valid_until",)),
        Rule("agreements.Agreement", read=True, rows=SECOND),
    ),
)  # fmt: skip
NARROW = Role("narrow", "Reads acceptances alone.", ("contracts.*",), (Rule("invoices.AutoAcceptance", read=True),))
NOBODY = Role("nobody", "Reads all, if it were let.", (), (Rule("*", read=True),))


@pytest.fixture(scope="module")
def node() -> Iterator[GraphNode]:
    with graph_nodes() as made:
        traded(made[0])
        yield made[0]


@pytest.fixture(scope="module")
def reader(node: GraphNode) -> Asker:
    return node.client("rita", READER)


def test_only_rows_that_roles_allow_are_listed_and_counted(reader: Asker) -> None:
    found = reader.data("""{ invoices_AutoAcceptance { total { count } rows { amount_max { amount } } }
                             invoices_AutoAcceptance_aggregate { _count amount_max { min { amount } } } }""")
    assert found["invoices_AutoAcceptance"]["total"]["count"] == 2
    assert {row["amount_max"]["amount"] for row in found["invoices_AutoAcceptance"]["rows"]} == {"20.00", "30.00"}
    assert found["invoices_AutoAcceptance_aggregate"] == {"_count": 2, "amount_max": [{"min": {"amount": "20.00"}}]}


def test_a_reference_to_what_may_not_be_read_is_empty(reader: Asker) -> None:
    rows = reader.data("{ invoices_AutoAcceptance(order_by: [{amount_max: asc}]) { rows { agreement { number } } } }")
    assert rows["invoices_AutoAcceptance"]["rows"] == [{"agreement": None}, {"agreement": {"number": "F-1"}}]


def test_a_filter_does_not_tell_of_what_may_not_be_read(reader: Asker) -> None:
    query = """query($number: String) {
      invoices_AutoAcceptance(where: {agreement: {number: {_eq: $number}}}) { total { count } } }"""
    assert reader.data(query, number="F-0")["invoices_AutoAcceptance"]["total"]["count"] == 0
    assert reader.data(query, number="F-1")["invoices_AutoAcceptance"]["total"]["count"] == 1


def test_one_contract_that_may_not_be_read_is_not_there(reader: Asker) -> None:
    query = "query($ref: ID!) { invoices_AutoAcceptance_by_pk(ref: $ref) { buyer } }"
    assert reader.data(query, ref=ref_text(Ref(bytes32("acceptance", 0), 0))) == {"invoices_AutoAcceptance_by_pk": None}
    assert reader.data(query, ref=ref_text(Ref(bytes32("acceptance", 3), 0)))["invoices_AutoAcceptance_by_pk"]


@pytest.mark.parametrize(
    "query",
    [
        "{ invoices_AutoAcceptance { rows { valid_until } } }",
        '{ invoices_AutoAcceptance(where: {valid_until: {_gt: "2000-01-01"}}) { next } }',
        "{ invoices_AutoAcceptance(order_by: [{valid_until: asc}]) { next } }",
        "{ invoices_AutoAcceptance_aggregate { valid_until { max } } }",
        "{ invoices_Invoice { next } }",
        'mutation { agreements_Agreement_propose(ref: "x") { id } }',
    ],
)
def test_what_is_hidden_is_not_in_the_schema(reader: Asker, query: str) -> None:
    assert reader.code(query) == "graphql.invalid"


def test_the_schema_does_not_name_what_may_not_be_read(node: GraphNode) -> None:
    narrow = node.client("nora", NARROW)
    fields = narrow.data('{ __type(name: "invoices_AutoAcceptance") { fields { name } } }')["__type"]["fields"]
    names = {each["name"] for each in fields}
    assert "agreement_ref" in names
    assert "agreement" not in names
    assert "Agreement" not in narrow.post("{ __schema { types { name } } }").text.replace("AutoAcceptance", "")


def test_who_may_ask_for_no_operation_reads_nothing(node: GraphNode) -> None:
    assert node.client("ned", NOBODY).code("{ cash_Cash { next } }") == "access.operation"


def test_nobody_is_answered_who_is_not_known(node: GraphNode) -> None:
    stranger = Asker(node.app, node.node.stranger())
    answer = stranger.post("{ _caller }")
    assert answer.status_code == 401
    assert answer.json()["errors"][0]["extensions"]["code"] == "access.unknown-caller"
