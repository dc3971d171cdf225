"""Filters that are trees, lists of what differs, totals and figures."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.test_vault import BACK_ENDS
from tests.unit.node.vault.samples import (
    ALICE,
    BOB,
    CAROL,
    Colour,
    Everything,
    Invoice,
    Line,
    SampleEngine,
    bytes32,
    contract,
    everything,
    invoice,
    refused,
)

from interfirm.base.money import INTEGER_MAX, Money, Rate
from interfirm.base.time import Day
from interfirm.contracts.language import Ref, Template
from interfirm.contracts.types import ContractRef
from interfirm.node.vault import queries
from interfirm.node.vault.queries import Figures, Total
from interfirm.node.vault.vault import Vault
from interfirm.node.vault.where import AllOf, AnyOf, Compare, Inside, Not, Related, Search, Where, holds


@pytest.fixture
def engine() -> SampleEngine:
    return SampleEngine(folder="tests.unit.node.vault")


@pytest.fixture(params=sorted(BACK_ENDS))
def vault(request: pytest.FixtureRequest, tmp_path: Path, engine: SampleEngine) -> Iterator[Vault]:
    with BACK_ENDS[request.param](tmp_path) as place:
        opened = Vault.open(place, contracts_engine=engine, durable=False)
        yield opened
        opened.close()


def add(vault: Vault, engine: SampleEngine, *values: Template, **changes: Any) -> None:
    """The n-th value is made by the transaction of its place."""
    with vault.turn() as turn:
        for n, value in enumerate(values):
            turn.add_contract(contract(engine.id_of(type(value)), value, by=bytes32(n), **changes))


def numbers(vault: Vault, where: Where, **options: Any) -> list[str]:
    with vault.read() as turn:
        return [row.payload[2] for row in turn.select("Invoice", where=where, **options).rows]


def agrees(vault: Vault, value: Template, where: Where, *, wanted: bool) -> bool:
    """Whether the database and the rules both say so of the only contract."""
    fields = {name: getattr(value, name) for name in value.__struct_fields__}
    with vault.read() as turn:
        found = turn.select(type(value).__name__, where=where).rows
    return bool(found) is wanted and holds(where, fields, lambda _: None) is wanted


LIKES = [
    ("like", "INV%", True), ("like", "inv%", False), ("ilike", "inv%", True), ("like", "%[x]", True),
    ("like", "%[x", False), ("like", "INV-_*[x]", True), ("like", "INV-_?[x]", False), ("like", "INV-é*[x]", True),
    ("ilike", "inv-É*[x]", False), ("not_like", "INV%", False), ("not_ilike", "x%", True), ("like", "INV", False),
]  # fmt: skip


@pytest.mark.parametrize(("operator", "pattern", "wanted"), LIKES)
def test_patterns_tell_letters_apart_unless_they_are_not_to(
    vault: Vault, engine: SampleEngine, operator: str, pattern: str, wanted: bool
) -> None:
    value = invoice().replace(number="INV-é*[x]")
    add(vault, engine, value)
    assert agrees(vault, value, Compare("number", operator, pattern), wanted=wanted)


NESTED = [
    (Compare("lines", "contains", [{"name": "one"}]), True),
    (Compare("lines", "contains", [{"name": "two"}]), False),
    (Compare("lines", "contains", [{"name": "one", "amount": Money(1, "EUR"), "mark": b"\xff"}]), True),
    (Compare("lines", "contains", [{"amount": Money(2, "EUR")}]), False),
    (Compare("lines", "contains", [Line("one", Money(1, "EUR"), b"\xff")]), True),
    (Compare("lines", "contains", [{"name": "one"}, {"mark": b""}]), False),
    (Compare("table", "contains", {"a": 1}), True),
    (Compare("table", "contains", {"a": 2}), False),
    (Compare("table", "has_key", "a"), True),
    (Compare("table", "has_key", "b"), False),
    (Search(("lines",), "ONE eur"), True),
    (Search(("text",), "NAIVE"), True),
    (Search(("text", "lines"), "on* naïve"), True),
    (Search(("text",), "one"), False),
    (Search(("lines",), "on"), False),
    (Inside("lines", Compare("name", "like", "o%")), True),
    (Inside("lines", AllOf((Compare("name", "eq", "one"), Compare("amount", "gt", Money(1, "EUR"))))), False),
    (Inside("lines", Compare("amount", "eq", Money(1, "EUR"))), True),
    (Inside("lines", Compare("mark", "eq", b"\xff")), True),
    (Inside("lines", Not(Compare("mark", "eq", b"\xff"))), False),
    (Compare("lines", "is_null", False), True),
]


@pytest.mark.parametrize(("where", "wanted"), NESTED)
def test_nested_values_can_be_asked_for_parts(vault: Vault, engine: SampleEngine, where: Where, wanted: bool) -> None:
    add(vault, engine, everything())
    assert agrees(vault, everything(), where, wanted=wanted)


def test_a_list_can_be_filtered_by_the_contracts_that_are_referred_to(vault: Vault, engine: SampleEngine) -> None:
    bought = everything(ref=Ref(bytes32(0), 0), text="of bob")
    add(vault, engine, invoice(1), everything(ref=Ref(bytes32("unknown"), 0)), bought)
    with vault.read() as turn:
        of_bob = turn.select("Everything", where=Related("ref", Compare("buyer", "eq", BOB))).rows
        of_carol = turn.select("Everything", where=Related("ref", Compare("buyer", "eq", CAROL))).rows
        unknown = turn.select("Everything", where=Not(Related("ref", AllOf(())))).rows
    assert [row.payload[3] for row in of_bob] == ["of bob"]
    assert of_carol == ()
    assert [row.payload[3] for row in unknown] == ["naïve ✓"]


def test_what_is_not_so_is_true_of_empty_fields(vault: Vault, engine: SampleEngine) -> None:
    add(vault, engine, invoice(1), invoice(2, note="x"))
    assert numbers(vault, Not(Compare("note", "lt", "z"))) == ["INV-000001"]
    assert numbers(vault, Compare("note", "not_like", "z%")) == ["INV-000002"]


def test_a_field_that_only_the_newest_version_has_is_empty_in_the_others(vault: Vault, engine: SampleEngine) -> None:
    class Invoice(Template):
        number: str
        colour: Colour

    add(vault, engine, invoice(1))
    newest = engine.add(Invoice, version="2", folder="tests.unit.node.vault")
    vault.load_template_tables()
    with vault.turn() as turn:
        turn.add_contract(contract(newest, Invoice("new", Colour.RED), by=bytes32("new")))
    with vault.read() as turn:
        red = turn.total("Invoice", where=Compare("colour", "eq", Colour.RED))
        other = turn.total("Invoice", where=Compare("colour", "ne", Colour.RED))
    assert (red.count, other.count) == (1, 1)


def test_of_what_is_alike_only_the_first_is_listed(vault: Vault, engine: SampleEngine) -> None:
    buyers = [BOB, CAROL, BOB, ALICE, CAROL, BOB]
    add(vault, engine, *(invoice(n, buyer=buyer, note="ab"[n % 2]) for n, buyer in enumerate(buyers)))
    order = ["buyer", "-number"]
    latest = dict(sorted((buyer.id, f"INV-{n:06}") for n, buyer in enumerate(buyers)))
    found: list[str] = []
    after = None
    with vault.read() as turn:
        while True:
            page = turn.select("Invoice", order_by=order, distinct_on="buyer", limit=1, after=after, status=None)
            found += [row.payload[2] for row in page.rows]
            after = page.next_cursor
            if after is None:
                break
    assert found == list(latest.values())


def test_rows_differ_in_the_fields_that_the_order_begins_with(vault: Vault) -> None:
    with vault.read() as turn, refused("vault.order"):
        turn.select("Invoice", order_by="due", distinct_on="buyer")


def test_the_cursor_of_one_filter_is_refused_by_another(vault: Vault, engine: SampleEngine) -> None:
    add(vault, engine, invoice(1), invoice(2))
    part = Compare("buyer", "eq", BOB)
    with vault.read() as turn:
        cursor = turn.select("Invoice", where=AllOf((part,)), limit=1).next_cursor
        assert turn.select("Invoice", where=AllOf((part,)), limit=1, after=cursor).next_cursor is None
        with refused("vault.cursor"):
            turn.select("Invoice", where=AnyOf((part,)), limit=1, after=cursor)


WRONG = [
    Compare("nothing", "eq", 1), Compare("due", "like", "2%"), Compare("note", "lt", None), Compare("note", "near", ""),
    Compare("note", "is_null", 1), Compare("payable", "contains", {"minor": 1}), Related("buyer", AllOf(())),
    Compare("number", "like", "x" * 257), Compare("number", "like", "%a" * 9), Compare("number", "in", [1]),
]  # fmt: skip


@pytest.mark.parametrize("where", WRONG)
def test_a_filter_that_fits_no_field_is_refused(vault: Vault, where: Where) -> None:
    with vault.read() as turn, refused("vault.where"):
        turn.select("Invoice", where=where)


@pytest.mark.parametrize("part", [{"nothing": 1}, {}, {"name": 1}])
def test_a_part_that_fits_no_record_is_refused(vault: Vault, part: Any) -> None:
    with vault.read() as turn, refused("vault.where"):
        turn.select("Everything", where=Compare("lines", "contains", [part]))


# totals and figures ---------------------------------------------------------------------------------------------------


def test_a_total_is_exact_until_it_is_large_and_then_marked(
    vault: Vault, engine: SampleEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(vault, engine, *(invoice(n, buyer=BOB if n % 4 else CAROL) for n in range(2000)))
    of_bob = Compare("buyer", "eq", BOB)
    with vault.read() as turn:
        assert turn.total("Invoice", where=of_bob) == Total(1500, exact=True)
        monkeypatch.setattr(queries, "TOTAL_EXACT_MAX", 100)
        monkeypatch.setattr(queries, "SAMPLE_ROWS", 40)
        estimated = turn.total("Invoice", where=of_bob)
        assert turn.total("Invoice", where=Compare("due", "gt", Day(50_000))) == Total(0, exact=True)
    assert not estimated.exact
    assert 1300 <= estimated.count <= 1700


def test_money_is_added_up_by_currency(vault: Vault, engine: SampleEngine) -> None:
    monies = [Money(100, "EUR"), Money(201, "EUR"), Money(-5, "USD"), Money(0, "USD"), Money(-5, "USD")]
    add(vault, engine, *(invoice(n, payable=money) for n, money in enumerate(monies)))
    with vault.read() as turn:
        found = turn.aggregate("Invoice", fields=["payable"])
    euros, dollars = (lambda minor: Money(minor, "EUR")), (lambda minor: Money(minor, "USD"))
    assert found.count == 5
    assert found.fields["payable"] == (
        Figures(2, 2, euros(100), euros(201), euros(301), euros(151)),
        Figures(3, 2, dollars(-5), dollars(0), dollars(-10), dollars(-3)),
    )


def test_figures_are_there_for_all_that_has_them(vault: Vault, engine: SampleEngine) -> None:
    add(vault, engine, everything(count=1), everything(count=2, due=Day(1), rate=Rate(850_001)))
    with vault.read() as turn:
        found = turn.aggregate("Everything", fields=["count", "rate", "due", "colour", "party", "flag", "maybe_count"])
    figures = {name: each[0] for name, each in found.fields.items()}
    assert figures["count"] == Figures(2, 2, 1, 2, 3, "1.500000")
    assert figures["rate"] == Figures(2, 2, Rate(850_000), Rate(850_001), Rate(1_700_001), Rate(850_001))
    assert figures["due"] == Figures(2, 2, Day(1), Day.of(2026, 10, 5), None, None)
    assert figures["colour"] == Figures(2, 1, Colour.GREEN, Colour.GREEN, None, None)
    assert figures["party"] == Figures(2, 1, None, None, None, None)
    assert figures["flag"] == Figures(2, 1, None, None, None, None)
    assert figures["maybe_count"] == Figures(0, 0, None, None, None, None)


def test_sums_do_not_overflow(vault: Vault, engine: SampleEngine) -> None:
    add(vault, engine, everything(count=INTEGER_MAX), everything(count=INTEGER_MAX), everything(count=-1))
    with vault.read() as turn:
        figures = turn.aggregate("Everything", fields=["count"]).fields["count"][0]
    assert figures.sum == 2 * INTEGER_MAX - 1


def test_figures_cover_all_statuses_and_what_the_filter_wants(vault: Vault, engine: SampleEngine) -> None:
    add(vault, engine, invoice(1), invoice(2), invoice(3, buyer=CAROL))
    with vault.turn() as turn:
        turn.consume(contract(engine.id_of(Invoice), invoice(1), by=bytes32(0)).ref, bytes32("consumer"))
    of_bob = Compare("buyer", "eq", BOB)
    with vault.read() as turn:
        assert turn.aggregate("Invoice", where=of_bob).count == 1
        found = turn.aggregate("Invoice", where=of_bob, status=None, fields=["payable"])
    assert found.count == 2
    assert found.fields["payable"][0].sum == Money(300, "EUR")


@pytest.mark.parametrize("fields", [["lines"], ["nothing"], ["ref"], ["count"] * 33])
def test_a_field_without_figures_is_refused(vault: Vault, fields: list[str]) -> None:
    with vault.read() as turn, refused("vault.aggregate"):
        turn.aggregate(Everything.__name__, fields=fields)


# relations and arrivals -----------------------------------------------------------------------------------------------


def test_contracts_are_found_by_many_refs_at_once(vault: Vault, engine: SampleEngine) -> None:
    add(vault, engine, *(invoice(n) for n in range(5)))
    refs = [ContractRef(bytes32(n), 0) for n in (1, 3, 4)]
    with vault.read() as turn:
        found = turn.contracts_named([*refs, ContractRef(bytes32(2), 1), ContractRef(bytes32("unknown"), 0)])
        assert turn.contracts_named([]) == {}
    assert {ref: each.payload[2] for ref, each in found.items()} == {
        ref: f"INV-{n:06}" for ref, n in zip(refs, (1, 3, 4), strict=True)
    }


def test_of_the_contracts_that_name_others_each_gets_its_first(vault: Vault, engine: SampleEngine) -> None:
    named = [ContractRef(bytes32("named", n), 0) for n in range(3)]
    values = [everything(ref=Ref(named[n % 2].transaction, 0), count=n) for n in range(7)]
    add(vault, engine, *values)
    with vault.read() as turn:
        found = turn.naming("Everything", "ref", named, order_by="-count", limit=2, where=Compare("count", "ne", 6))
    assert [[row.payload[2] for row in found[ref]] for ref in named] == [[4, 2], [5, 3], []]


def test_what_arrives_is_told_in_its_order_whatever_its_time(vault: Vault, engine: SampleEngine) -> None:
    add(vault, engine, invoice(1), time_ms=5000)
    with vault.read() as turn:
        before = turn.last_arrival()
    with vault.turn() as turn:
        for n in (2, 3, 4):
            made = contract(engine.id_of(Invoice), invoice(n), by=bytes32(n), time_ms=1000 - n)
            turn.add_contract(made)
        turn.consume(made.ref, bytes32("consumer"))
    with vault.read() as turn:
        first = turn.arrivals("Invoice", after=before, limit=2)
        rest = turn.arrivals("Invoice", after=first[-1].number)
    assert [each.contract.payload[2][-1] for each in (*first, *rest)] == ["2", "3", "4"]
    assert rest[-1].contract.status == "consumed"
