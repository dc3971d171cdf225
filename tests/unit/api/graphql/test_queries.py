"""Lists, single contracts, figures and relations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from tests.unit.api.graphql.doors import Asker, GraphNode, graph_nodes, issue
from tests.unit.node.vault.samples import bytes32, contract

from interfirm.base.money import Money
from interfirm.base.time import Day
from interfirm.contracts.language import Hash, Party, Ref
from interfirm.node.access.types import Role, Rule
from interfirm.node.forms import ref_text
from interfirm.node.vault.types import StoredContract


@pytest.fixture(scope="module")
def node() -> Iterator[GraphNode]:
    with graph_nodes() as made:
        traded(made[0])
        yield made[0]


def traded(graph: GraphNode) -> None:
    """Two agreements, and standing acceptances under them: three under the first, one under the second."""
    engine, firms = graph.node.desk.engine, graph.node.desk.names.organisations()
    agreement, acceptance = engine.named("agreements.Agreement"), engine.named("invoices.AutoAcceptance")
    parties = tuple(Party(each) for each in firms)
    kind, terms = agreement.fields["kind"], agreement.fields["terms"]
    stored: list[StoredContract] = []
    for n in range(2):
        value = agreement.cls(
            number=f"F-{n}", kind=next(iter(kind)), parties=parties, signed=parties, document=Hash(bytes32("text", n)),
            terms=terms(), start=Day.of(2026, 1, 1 + n), end=None,
        )  # fmt: skip
        stored.append(contract(agreement.id, value, by=bytes32("agreement", n)))
    for n, under in enumerate((0, 0, 0, 1)):
        value = acceptance.cls(
            buyer=parties[0], seller=parties[1], agreement=Ref(bytes32("agreement", under), 0),
            amount_max=Money(1000 * n, "EUR"), valid_until=Day.of(2027, 1, 1 + n), set_off_waived=True,
        )  # fmt: skip
        stored.append(contract(acceptance.id, value, by=bytes32("acceptance", n)))
    with graph.node.firm.vault.turn() as turn:
        for each in stored:
            turn.add_contract(each)


def test_contracts_are_listed_filtered_sorted_and_counted(node: GraphNode) -> None:
    found = node.all().data("""{ invoices_AutoAcceptance(
        where: {_or: [{amount_max: {_gt: {amount: "10.00", currency: "EUR"}}}, {valid_until: {_eq: "2027-01-01"}}]},
        order_by: [{amount_max: desc}], limit: 2
      ) { rows { _ref _status buyer amount_max { amount currency } valid_until set_off_waived }
          next total { count exact } } }""")["invoices_AutoAcceptance"]  # fmt: skip
    assert found["total"] == {"count": 3, "exact": True}
    assert [row["amount_max"]["amount"] for row in found["rows"]] == ["30.00", "20.00"]
    assert found["rows"][0] == {
        "_ref": f"{bytes32('acceptance', 3).hex()}:0", "_status": "active", "buyer": node.node.firm.name,
        "amount_max": {"amount": "30.00", "currency": "EUR"}, "valid_until": "2027-01-04", "set_off_waived": True,
    }  # fmt: skip


def test_a_list_goes_on_after_its_page(node: GraphNode) -> None:
    query = """query($after: String) {
      invoices_AutoAcceptance(after: $after, limit: 3, order_by: [{valid_until: asc}]) {
        next rows { valid_until } } }"""
    first = node.all().data(query)["invoices_AutoAcceptance"]
    rest = node.all().data(query, after=first["next"])["invoices_AutoAcceptance"]
    days = [row["valid_until"] for row in (*first["rows"], *rest["rows"])]
    assert days == [f"2027-01-0{n}" for n in (1, 2, 3, 4)]
    assert rest["next"] is None


def test_of_what_is_alike_the_first_is_listed(node: GraphNode) -> None:
    found = node.all().data("""{ invoices_AutoAcceptance(
        distinct_on: [buyer], order_by: [{buyer: asc}, {amount_max: desc}]) { rows { amount_max { amount } } } }""")
    assert found["invoices_AutoAcceptance"]["rows"] == [{"amount_max": {"amount": "30.00"}}]


def test_references_are_followed_both_ways(node: GraphNode) -> None:
    found = node.all().data("""{ agreements_Agreement(order_by: [{number: asc}]) { rows {
        number invoices_AutoAcceptance_by_agreement(limit: 2, order_by: [{amount_max: desc}]) {
          amount_max { amount } agreement_ref agreement { number } } } } }""")["agreements_Agreement"]["rows"]
    first = ref_text(Ref(bytes32("agreement", 0), 0))
    assert [row["number"] for row in found] == ["F-0", "F-1"]
    assert found[0]["invoices_AutoAcceptance_by_agreement"] == [
        {"amount_max": {"amount": amount}, "agreement_ref": first, "agreement": {"number": "F-0"}}
        for amount in ("20.00", "10.00")
    ]
    assert len(found[1]["invoices_AutoAcceptance_by_agreement"]) == 1


def test_a_list_is_filtered_by_what_its_contracts_refer_to(node: GraphNode) -> None:
    query = """query($where: invoices_AutoAcceptance_where) {
      invoices_AutoAcceptance(where: $where) { total { count } } }"""
    first = ref_text(Ref(bytes32("agreement", 0), 0))

    def count(where: Any) -> int:
        return int(node.all().data(query, where=where)["invoices_AutoAcceptance"]["total"]["count"])

    assert count({"agreement": {"number": {"_like": "F-%"}}}) == 4
    assert count({"agreement": {"number": {"_eq": "F-1"}}}) == 1
    assert count({"agreement_ref": {"_eq": first}}) == 3
    assert count({"agreement_ref": {"_eq": first}, "agreement": {"number": {"_eq": "F-1"}}}) == 0
    assert count({"_not": {"agreement_ref": {"_is_null": False}}}) == 0


def test_words_are_searched_for_in_what_the_caller_sees(node: GraphNode) -> None:
    query = """query($where: agreements_Agreement_where) { agreements_Agreement(where: $where) { total { count } } }"""
    rules = (Rule("agreements.Agreement", read=True, hidden=("number",)),)
    blind = node.client("bea", Role("blind", "Sees no numbers.", ("contracts.*",), rules))

    def count(asker: Asker, where: Any) -> int:
        return int(asker.data(query, where=where)["agreements_Agreement"]["total"]["count"])

    assert count(node.all(), {"_search": "f 1"}) == 1
    assert count(node.all(), {"number": {"_matches": "F*"}}) == 2
    assert count(node.all(), {"terms": {"_is_null": False}, "_not": {"_search": "f"}}) == 0
    assert count(blind, {"_search": "f 1"}) == 0
    assert count(blind, {"_search": ""}) == 2


def test_each_level_of_a_query_is_one_question_to_the_database(
    node: GraphNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    from interfirm.node.vault.turn import Turn

    asked: list[object] = []
    rows = Turn.rows
    monkeypatch.setattr(
        Turn, "rows", lambda self, statement, /, **given: asked.append(1) or rows(self, statement, **given)
    )
    node.all().data("""{ agreements_Agreement { rows { number invoices_AutoAcceptance_by_agreement {
        _ref agreement { number } } } } }""")
    few = len(asked)
    asked.clear()
    node.all().data("{ agreements_Agreement { rows { number } } }")
    assert few == len(asked) + 2


def test_one_contract_is_shown_by_its_ref(node: GraphNode) -> None:
    query = "query($ref: ID!) { agreements_Agreement_by_pk(ref: $ref) { number parties document } }"
    found = node.all().data(query, ref=ref_text(Ref(bytes32("agreement", 1), 0)))["agreements_Agreement_by_pk"]
    assert found["number"] == "F-1"
    assert found["document"] == bytes32("text", 1).hex()
    assert node.all().data(query, ref="00" * 32 + ":0") == {"agreements_Agreement_by_pk": None}
    acceptance = ref_text(Ref(bytes32("acceptance", 1), 0))
    assert node.all().data(query, ref=acceptance) == {"agreements_Agreement_by_pk": None}
    assert node.all().code(query, variables={"ref": "x"}) == "form.ref"


def test_figures_are_those_of_all_that_is_wanted(node: GraphNode) -> None:
    found = node.all().data("""{ invoices_AutoAcceptance_aggregate(where: {agreement: {number: {_eq: "F-0"}}}) {
        _count amount_max { count distinct min { amount } max { amount } sum { amount currency } average { amount } }
        valid_until { min max } buyer { distinct } } }""")["invoices_AutoAcceptance_aggregate"]
    assert found == {
        "_count": 3,
        "amount_max": [{
            "count": 3, "distinct": 3, "min": {"amount": "0.00"}, "max": {"amount": "20.00"},
            "sum": {"amount": "30.00", "currency": "EUR"}, "average": {"amount": "10.00"},
        }],
        "valid_until": {"min": "2027-01-01", "max": "2027-01-03"},
        "buyer": {"distinct": 1},
    }  # fmt: skip


WRONG = [
    ('{ invoices_AutoAcceptance(where: {valid_until: {_eq: "tomorrow"}}) { next } }', "day.invalid"),
    ('{ invoices_AutoAcceptance(after: "x") { next } }', "vault.cursor"),
    ("{ invoices_AutoAcceptance(limit: 1001) { next } }", "vault.limit"),
    ("{ invoices_AutoAcceptance(distinct_on: [buyer]) { next } }", "vault.order"),
    ("{ invoices_AutoAcceptance(where: {nothing: {_eq: 1}}) { next } }", "graphql.invalid"),
    ("{ nothing }", "graphql.invalid"),
    ("{ _caller", "graphql.syntax"),
    ("query a { _caller } query b { _caller }", "graphql.operation"),
]


@pytest.mark.parametrize(("query", "code"), WRONG)
def test_what_is_wrong_is_refused_with_its_code(node: GraphNode, query: str, code: str) -> None:
    assert node.all().code(query) == code


def test_the_schema_tells_what_it_holds(node: GraphNode) -> None:
    found = node.all().data('{ __type(name: "invoices_AutoAcceptance") { description fields { name } } }')["__type"]
    names = {each["name"] for each in found["fields"]}
    assert {"_ref", "_accepted", "agreement", "agreement_ref", "amount_max"} <= names


def test_cash_that_was_made_is_listed(node: GraphNode) -> None:
    ref = issue(node, node.all(), "7.00")
    rows = node.all().data("{ cash_Cash { rows { _ref amount { amount } } } }")["cash_Cash"]["rows"]
    assert {"_ref": ref, "amount": {"amount": "7.00"}} in rows
