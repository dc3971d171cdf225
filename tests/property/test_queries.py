"""What a database finds by a filter is what `where.holds` says of each contract."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.test_vault import BACK_ENDS
from tests.unit.node.vault.samples import ALICE, BOB, CAROL, SampleEngine, bytes32, contract

from interfirm.base.money import Money
from interfirm.base.time import Day
from interfirm.contracts.language import Code, Party, Record, Ref, Template
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.vault import Vault
from interfirm.node.vault.where import AllOf, AnyOf, Compare, Inside, Not, Related, Search, Where, holds


class Colour(Code):
    RED = "red"
    GREEN = "green"


class Line(Record):
    name: str
    amount: Money
    paid: bool
    mark: bytes | None = None


class Parent(Template):
    owner: Party
    title: str
    above: Ref[Parent] | None = None


class Order(Template):
    buyer: Party
    number: str
    total: Money
    due: Day
    open: bool
    colour: Colour
    first: Line
    lines: tuple[Line, ...]
    table: dict[str, int]
    note: str | None = None
    discount: Money | None = None
    count: int | None = None
    parent: Ref[Parent] | None = None
    extra: Line | None = None


parties = st.sampled_from([ALICE, BOB, CAROL])
texts = st.sampled_from(["", "a", "A", "aB", "Ab b", "ä%", "Äb", "[a]*?", 'x"y\\', "line\nbreak", "_", "100%"])
patterns = st.text(alphabet="aAbB%_[]*?ä\\", max_size=4)
monies = st.builds(Money, st.integers(-1, 1), st.sampled_from(["EUR", "USD"]))
days = st.builds(Day, st.integers(0, 3))
counts = st.integers(-2, 2)
marks = st.sampled_from([None, b"", b"\x01"])
lines = st.builds(Line, texts, monies, st.booleans(), marks)
parents = st.integers(0, 3).map(lambda n: Ref(bytes32("parent", n), 0))
"""The last of them is not known here."""
PARENTS = (
    Parent(ALICE, "a"),
    Parent(BOB, "Ab b", Ref(bytes32("parent", 0), 0)),
    Parent(BOB, "ä%", Ref(bytes32("parent", 1), 0)),
)
orders = st.builds(
    Order, parties, texts, monies, days, st.booleans(), st.sampled_from(Colour), lines,
    st.lists(lines, max_size=2).map(tuple), st.dictionaries(texts, counts, max_size=2), st.none() | texts,
    st.none() | monies, st.none() | counts, st.none() | parents, st.none() | lines,
)  # fmt: skip
some_line: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {}, optional={"name": texts, "amount": monies, "paid": st.booleans(), "mark": marks}
).filter(bool)


def equalities(field: str, values: Any) -> Any:
    return st.one_of(
        st.builds(Compare, st.just(field), st.sampled_from(["eq", "ne"]), st.none() | values),
        st.builds(Compare, st.just(field), st.sampled_from(["in", "not_in"]), st.lists(values | st.none(), max_size=3)),
        st.builds(Compare, st.just(field), st.just("is_null"), st.booleans()),
    )


def orderings(field: str, values: Any) -> Any:
    return st.builds(Compare, st.just(field), st.sampled_from(["lt", "le", "gt", "ge"]), values)


def searches(field: str) -> Any:
    likes = st.sampled_from(["like", "ilike", "not_like", "not_ilike"])
    return st.one_of(
        st.builds(Compare, st.just(field), likes, patterns),
        st.builds(Search, st.just((field,)), sought),
    )


sought = st.sampled_from(["", "ab", "Ab b", "a*", "AB* b", "100", "1*", "a\u0308*", "%", "eur", "line break", "x-y"])
ordered = {"number": texts, "total": monies, "due": days, "note": texts, "discount": monies, "count": counts,
           "buyer": parties}  # fmt: skip
of_line = st.one_of(
    equalities("name", texts), equalities("amount", monies), orderings("amount", monies), equalities("mark", marks),
    equalities("paid", st.booleans()),
    st.builds(Compare, st.just("name"), st.sampled_from(["like", "not_ilike"]), patterns),
)  # fmt: skip
of_lines = st.one_of(of_line, st.builds(Not, of_line), st.lists(of_line, max_size=2).map(tuple).map(AllOf))
nested = [
    *(st.builds(Compare, st.just(field), st.just("contains"), some_line) for field in ("first", "extra")),
    st.builds(Compare, st.just("lines"), st.just("contains"), st.lists(some_line | lines, min_size=1, max_size=2)),
    st.builds(Compare, st.just("table"), st.just("contains"), st.dictionaries(texts, counts, min_size=1, max_size=2)),
    st.builds(Compare, st.just("table"), st.just("has_key"), texts),
    st.builds(Search, st.lists(st.sampled_from(["number", "lines", "table", "extra"])).map(tuple), sought),
    *(st.builds(Inside, st.just(field), of_lines) for field in ("first", "extra", "lines")),
    st.builds(Compare, st.sampled_from(["lines", "extra"]), st.just("is_null"), st.booleans()),
]


def trees(leaves: Any) -> st.SearchStrategy[Where]:
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(AllOf, st.lists(inner, min_size=2, max_size=3).map(tuple)),
            st.builds(AnyOf, st.lists(inner, min_size=2, max_size=3).map(tuple)),
            st.builds(Not, inner),
        ),
        max_leaves=5,
    )


above = trees(st.one_of(equalities("owner", parties), equalities("title", texts), searches("title")))
of_parents = trees(st.one_of(above, st.builds(Related, st.just("above"), above), equalities("above", parents)))
comparisons = st.one_of(
        *(equalities(field, values) for field, values in ordered.items()),
        *(orderings(field, values) for field, values in ordered.items()),
        equalities("open", st.booleans()), equalities("colour", st.sampled_from(Colour)),
        equalities("parent", parents), searches("number"), searches("note"), *nested,
        st.builds(Related, st.just("parent"), of_parents),
)  # fmt: skip
filters = st.one_of(trees(comparisons), st.sampled_from([AllOf(()), AnyOf(())]))


@pytest.fixture(scope="module")
def engine() -> SampleEngine:
    return SampleEngine(Parent, Order, folder="tests.property")


@pytest.fixture(scope="module", params=sorted(BACK_ENDS))
def vault(request: pytest.FixtureRequest, engine: SampleEngine) -> Iterator[Vault]:
    with tempfile.TemporaryDirectory() as folder, BACK_ENDS[request.param](Path(folder)) as place:
        opened = Vault.open(place, contracts_engine=engine, durable=False)
        with opened.turn() as turn:
            for n, parent in enumerate(PARENTS):
                turn.add_contract(contract(engine.id_of(Parent), parent, by=bytes32("parent", n)))
        yield opened
        opened.close()


def fields_of(value: Template) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def related(ref: Any) -> Mapping[str, Any] | None:
    known = {bytes32("parent", n): fields_of(parent) for n, parent in enumerate(PARENTS)}
    return known.get(ref.transaction)


class Undone(Exception):
    """Leaves a turn so that nothing of it stays."""


@contextlib.contextmanager
def undone(vault: Vault) -> Iterator[Turn]:
    with contextlib.suppress(Undone), vault.turn() as turn:
        yield turn
        raise Undone


def check(vault: Vault, engine: SampleEngine, rows: list[Order], wheres: list[Where]) -> None:
    stored = [contract(engine.id_of(Order), row, by=bytes32("row", n)) for n, row in enumerate(rows)]
    with undone(vault) as turn:
        for each in stored:
            turn.add_contract(each)
        for where in wheres:
            wanted = [each.ref for each, row in zip(stored, rows, strict=True) if holds(where, fields_of(row), related)]
            assert [each.ref for each in turn.select("Order", where=where).rows] == wanted
            assert turn.total("Order", where=where).count == len(wanted)


bounds = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
many = st.lists(orders, min_size=4, max_size=8)


@bounds
@given(rows=many, wheres=st.lists(comparisons, min_size=10, max_size=20))
def test_the_database_finds_by_each_comparison_what_holds(
    vault: Vault, engine: SampleEngine, rows: list[Order], wheres: list[Where]
) -> None:
    check(vault, engine, rows, wheres)


@bounds
@given(rows=many, wheres=st.lists(st.sampled_from(nested).flatmap(lambda each: each), min_size=10, max_size=20))
def test_the_database_finds_in_nested_values_what_holds(
    vault: Vault, engine: SampleEngine, rows: list[Order], wheres: list[Where]
) -> None:
    check(vault, engine, rows, wheres)


@bounds
@given(rows=many, wheres=st.lists(filters, min_size=3, max_size=6))
def test_the_database_finds_by_trees_what_holds(
    vault: Vault, engine: SampleEngine, rows: list[Order], wheres: list[Where]
) -> None:
    check(vault, engine, rows, wheres)
