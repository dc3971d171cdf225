"""Filters in JSON and as trees."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.node.vault.samples import bytes32, refused

from interfirm.base.money import Money
from interfirm.base.time import Day
from interfirm.business.invoices import contract as invoices
from interfirm.contracts.language import Party
from interfirm.contracts.packages import Engine, TemplateCode, bundle
from interfirm.node.forms import Forms
from interfirm.node.vault.columns import plan_of
from interfirm.node.vault.filters import read_where, write_where
from interfirm.node.vault.where import EVERYTHING, AllOf, AnyOf, Compare, Inside, Not, Related, Search, Where

ACME = bytes32("acme")


class Names:
    """One organisation."""

    def identity_of(self, name: str) -> bytes:
        return {"Acme": ACME}[name]

    def name_of(self, identity: bytes) -> str:
        return {ACME: "Acme"}[identity]

    def registration_of(self, identity: bytes) -> str:
        raise NotImplementedError

    def organisations(self) -> list[bytes]:
        return [ACME]

    def notary_of(self, name: str) -> bytes:
        raise NotImplementedError


class Seen:
    """Somebody who reads some agreements, no receivables, and not when invoices are due."""

    def readable(self, template: str) -> Where | None:
        return {"invoices.Invoice": EVERYTHING, "agreements.Agreement": Compare("number", "eq", "F-1")}.get(template)

    def hidden(self, template: str) -> frozenset[str]:
        return frozenset({"due"}) if template == "invoices.Invoice" else frozenset()


class Blind(Seen):
    """Somebody who reads invoices alone."""

    def readable(self, template: str) -> Where | None:
        return EVERYTHING if template == "invoices.Invoice" else None


def no_commitment(value: Any, subject: str) -> Any:
    raise AssertionError("a filter commits to nothing")


FORMS = Forms(Names(), no_commitment)


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(bundle(invoices))


@pytest.fixture
def invoice(engine: Engine) -> TemplateCode:
    return engine.named("invoices.Invoice")


SEARCHED = tuple(plan_of(Engine(bundle(invoices)).named("invoices.Invoice").fields).texts)
CASES: list[tuple[Any, Where]] = [
    ({}, AllOf(())),
    ({"number": {"_eq": "A-1"}}, Compare("number", "eq", "A-1")),
    ({"seller": {"_eq": "Acme"}}, Compare("seller", "eq", Party(ACME))),
    ({"payable": {"_gte": {"amount": "10.00", "currency": "EUR"}}}, Compare("payable", "ge", Money(1000, "EUR"))),
    (
        {"due": {"_gt": "1970-01-02", "_lte": "1970-01-03"}},
        AllOf((Compare("due", "gt", Day(1)), Compare("due", "le", Day(2)))),
    ),
    ({"number": {"_in": ["A", "B"]}}, Compare("number", "in", ("A", "B"))),
    ({"acceptable": {"_is_null": True}}, Compare("acceptable", "is_null", True)),
    ({"number": {"_ilike": "a%"}}, Compare("number", "ilike", "a%")),
    ({"_or": [{"version": {"_lt": 3}}, {}]}, AnyOf((Compare("version", "lt", 3), AllOf(())))),
    ({"_not": {"exact": {"_eq": False}}}, Not(Compare("exact", "eq", False))),
    ({"agreement": {"number": {"_eq": "F-1"}}}, Related("agreement", Compare("number", "eq", "F-1"))),
    ({"agreement": {"_is_null": False}}, Compare("agreement", "is_null", False)),
    ({"credits": {"_contains": [{"number": "C-1"}]}}, Compare("credits", "contains", ({"number": "C-1"},))),
    ({"document": {"_matches": "bolt"}}, Search(("document",), "bolt")),
    ({"_search": "bolt"}, Search(SEARCHED, "bolt")),
    ({"document": {"number": {"_like": "A%"}}}, Inside("document", Compare("number", "like", "A%"))),
    ({"credits": {"_or": [{"number": "C-1"}]}}, Inside("credits", AnyOf((Compare("number", "eq", "C-1"),)))),
    (
        {"number": "A-1", "due": ["le", "1970-01-03"]},
        AllOf((Compare("number", "eq", "A-1"), Compare("due", "le", Day(2)))),
    ),
    ({"acceptable": None}, Compare("acceptable", "is_null", True)),
    ({"payable": {"amount": "10.00", "currency": "EUR"}}, Compare("payable", "eq", Money(1000, "EUR"))),
]


@pytest.mark.parametrize(("given", "where"), CASES)
def test_a_filter_is_read_by_the_types_of_fields(
    engine: Engine, invoice: TemplateCode, given: Any, where: Where
) -> None:
    assert read_where(invoice, given, FORMS, engine) == where


@pytest.mark.parametrize("where", [where for _, where in CASES])
def test_a_filter_that_is_written_is_read_as_it_was(engine: Engine, invoice: TemplateCode, where: Where) -> None:
    assert write_where(read_where(invoice, write_where(where, FORMS), FORMS, engine), FORMS) == write_where(
        where, FORMS
    )


WRONG: list[tuple[Any, str]] = [
    ([], "filter.shape"),
    ({"number": "$other"}, "filter.variable"),
    ({"_search": 1}, "filter.shape"),
    ({"due": {"_matches": "x"}}, "filter.operator"),
    ({"document": {"_search": "x"}}, "filter.operator"),
    ({"document": {"nothing": {"_eq": 1}}}, "filter.field"),
    ({"number": {"_eq": None}}, "filter.shape"),
    ({"_and": {}}, "filter.shape"),
    ({"number": {"_in": "A"}}, "filter.shape"),
    ({"number": {"_like": 1}}, "filter.shape"),
    ({"number": {"_is_null": "yes"}}, "filter.shape"),
    ({"nothing": {"_eq": 1}}, "filter.field"),
    ({"credits": {"_contains": [{"nothing": 1}]}}, "filter.field"),
    ({"number": {"eq": "A"}}, "filter.operator"),
    ({"internal_note": {"_eq": {"value": "x", "subject": "y"}}}, "filter.operator"),
    ({"due": {"_eq": "tomorrow"}}, "day.invalid"),
    ({"version": {"_eq": "1"}}, "form.value"),
    ({"number": {"_eq": "$other"}}, "filter.variable"),
    ({"_and": [{"version": {"_eq": 1}}] * 200}, "filter.limit"),
]


@pytest.mark.parametrize(("given", "code"), WRONG)
def test_what_is_no_filter_is_refused(engine: Engine, invoice: TemplateCode, given: Any, code: str) -> None:
    with refused(code):
        read_where(invoice, given, FORMS, engine, {"caller": "x"})


def test_a_filter_without_end_is_refused(engine: Engine, invoice: TemplateCode) -> None:
    given: dict[str, Any] = {}
    for _ in range(200):
        given = {"_not": given}
    with refused("filter.limit"):
        read_where(invoice, given, FORMS, engine)


def test_a_refusal_names_the_place(engine: Engine, invoice: TemplateCode) -> None:
    with refused("filter.field") as caught:
        read_where(invoice, {"_or": [{}, {"agreement": {"colour": {"_eq": 1}}}]}, FORMS, engine)
    assert caught.value.values["place"] == "where._or[1].agreement.colour"


def test_rules_know_the_caller_and_filters_do_not(engine: Engine, invoice: TemplateCode) -> None:
    given = {"number": {"_in": ["$caller", "$$caller"]}}
    assert read_where(invoice, given, FORMS, engine, {"caller": "ann"}) == Compare("number", "in", ("ann", "$caller"))
    assert read_where(invoice, given, FORMS, engine) == Compare("number", "in", ("$caller", "$$caller"))


def test_of_contracts_that_fields_name_only_those_count_that_may_be_read(engine: Engine, invoice: TemplateCode) -> None:
    found = read_where(invoice, {"agreement": {}}, FORMS, engine, seen=Seen())
    assert found == Related("agreement", AllOf((Compare("number", "eq", "F-1"), AllOf(()))))


def test_a_search_looks_at_no_field_that_is_hidden(engine: Engine, invoice: TemplateCode) -> None:
    class Shy(Seen):
        def hidden(self, template: str) -> frozenset[str]:
            return frozenset({"number", "due"})

    found = read_where(invoice, {"_search": "bolt"}, FORMS, engine, seen=Shy())
    assert found == Search(tuple(name for name in SEARCHED if name != "number"), "bolt")
    with refused("access.field"):
        read_where(invoice, {"number": {"_matches": "bolt"}}, FORMS, engine, seen=Shy())


def test_hidden_fields_and_contracts_cannot_be_asked_about(engine: Engine, invoice: TemplateCode) -> None:
    with refused("access.field"):
        read_where(invoice, {"_not": {"due": {"_is_null": True}}}, FORMS, engine, seen=Seen())
    with refused("access.template"):
        read_where(invoice, {"agreement": {}}, FORMS, engine, seen=Blind())
