"""Pages and what happens between them."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, multiple, rule
from tests.unit.node.vault.samples import ALICE, BOB, CAROL, Invoice, SampleEngine, bytes32, contract, fitting, invoice

from interfirm.base.money import Money
from interfirm.base.time import Day
from interfirm.contracts.types import ContractRef
from interfirm.node.vault import work
from interfirm.node.vault.types import StoredContract
from interfirm.node.vault.vault import Vault

ORDERS = ["time", "-time", "due", "-due", "note", "-note", ("note", "-number"), ("-payable", "due"), ("buyer", "-note")]
FILTERS: list[dict[str, Any]] = [{}, {"buyer": BOB}, {"due": ("gt", Day(1))}, {"note": None}]
_FIELDS = {"buyer": lambda v: v[1], "number": lambda v: v[2], "due": lambda v: v[4], "note": lambda v: v[5]}


def key(row: StoredContract, order: str) -> tuple[Any, ...]:
    """Where a row stands in one field's order, as the list promises it."""
    value = (
        row.time_ms if order == "time" else row.payload[3][::-1] if order == "payable" else _FIELDS[order](row.payload)
    )
    return (value is not None, value)


def in_order(rows: list[StoredContract], order: str | tuple[str, ...]) -> bool:
    names = (order,) if isinstance(order, str) else order
    for one, other in itertools.pairwise(rows):
        for name in names:
            first, second = key(one, name.removeprefix("-")), key(other, name.removeprefix("-"))
            if first != second:
                if (first > second) is not name.startswith("-"):
                    return False
                break
    return True


class Reader:
    """Somebody who leafs through a list while it changes."""

    def __init__(self, order: Any, where: dict[str, Any], limit: int, present: set[ContractRef]) -> None:
        self.options: dict[str, Any] = {"order_by": order, "where": where, "limit": limit}
        self.staying = set(present)
        """What was there at the start and has not gone since."""
        self.seen: list[StoredContract] = []
        self.after: str | None = None


class Lists(RuleBasedStateMachine):
    """Every row that stays is seen exactly once and in order, whatever is added or consumed meanwhile."""

    readers = Bundle("readers")

    @initialize()
    def open(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.engine = SampleEngine()
        self.vault = Vault.open(Path(self.folder.name) / "v.sqlite", contracts_engine=self.engine, durable=False)
        self.active: dict[ContractRef, StoredContract] = {}
        self.going_on: list[Reader] = []
        self.count = 0

    @rule(
        buyer=st.sampled_from([BOB, CAROL, ALICE]),
        amount=st.integers(0, 2),
        currency=st.sampled_from(["EUR", "USD"]),
        due=st.integers(0, 3),
        note=st.sampled_from([None, "a", "b"]),
        time_ms=st.integers(0, 3),
        times=st.integers(1, 4),
    )
    def add(self, buyer: Any, amount: int, currency: str, due: int, note: Any, time_ms: int, times: int) -> None:
        value = {"buyer": buyer, "payable": Money(amount, currency), "due": Day(due), "note": note}
        with self.vault.turn() as turn:
            for _ in range(times):
                self.count += 1
                made = contract(
                    self.engine.id_of(Invoice), invoice(self.count, **value), by=bytes32(self.count), time_ms=time_ms
                )
                turn.add_contract(made)
                self.active[made.ref] = made

    @rule(data=st.data())
    def consume(self, data: st.DataObject) -> None:
        if self.active:
            ref = data.draw(st.sampled_from(list(self.active)))
            with self.vault.turn() as turn:
                turn.consume(ref, bytes32("consumer"))
            del self.active[ref]
            for reader in self.going_on:
                reader.staying.discard(ref)

    @rule(target=readers, order=st.sampled_from(ORDERS), where=st.sampled_from(FILTERS), limit=st.integers(1, 3))
    def begin(self, order: Any, where: dict[str, Any], limit: int) -> Reader:
        reader = Reader(order, where, limit, {ref for ref, row in self.active.items() if matches(row, where)})
        self.going_on.append(reader)
        return reader

    @rule(target=readers, reader=consumes(readers))
    def turn_page(self, reader: Reader) -> Any:
        with self.vault.read() as turn:
            options = reader.options | {"where": fitting(reader.options["where"])}
            page = turn.select("Invoice", after=reader.after, **options)
        reader.seen += page.rows
        reader.after = page.next_cursor
        assert len({row.ref for row in reader.seen}) == len(reader.seen)
        assert in_order(reader.seen, reader.options["order_by"])
        assert all(matches(row, reader.options["where"]) for row in reader.seen)
        if page.next_cursor is not None:
            assert len(page.rows) == reader.options["limit"]
            return reader
        assert reader.staying <= {row.ref for row in reader.seen}
        self.going_on.remove(reader)
        return multiple()

    @invariant()
    def the_count_is_right(self) -> None:
        if hasattr(self, "vault"):
            with self.vault.read() as turn:
                assert turn.total("Invoice").count == len(self.active)

    def teardown(self) -> None:
        if hasattr(self, "vault"):
            self.vault.close()
            self.folder.cleanup()


def matches(row: StoredContract, where: dict[str, Any]) -> bool:
    _, buyer, _, _, due, note = row.payload
    return (
        ("buyer" not in where or buyer == [BOB.id])
        and ("due" not in where or due[0] > 1)
        and ("note" not in where or note is None)
    )


TestLists = Lists.TestCase
TestLists.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def plans_of_pages(vault: Vault, where: dict[str, Any], order: Any) -> list[str]:
    """How the database says it reads the first two pages of a list."""
    with vault.read() as turn:
        turn._lists.clear()
        page = turn.select("Invoice", where=fitting(where), order_by=order, limit=35)
        turn.select("Invoice", where=fitting(where), order_by=order, limit=35, after=page.next_cursor)
        texts = [kept.text for kept in turn._lists.values()]
        plans = [turn._run("EXPLAIN QUERY PLAN " + text, [None] * text.count("?")).fetchall() for text in texts]
        lines = [row[3] for plan in plans for row in plan]
        return [line for line in lines if "samples" in line or "B-TREE" in line]


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Vault]:
    engine = SampleEngine()
    vault = Vault.open(tmp_path / "v.sqlite", contracts_engine=engine, durable=False)
    with vault.turn() as turn:
        for n in range(200):
            turn.add_contract(contract(engine.id_of(Invoice), invoice(n, due=Day(n % 7)), by=bytes32(n), time_ms=n % 5))
    yield vault
    vault.close()


def test_users_cannot_make_the_vault_keep_statements_without_end(
    filled: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "LISTS_COUNT_MAX", 3)
    with filled.read() as turn:
        for count in range(10):
            turn.select("Invoice", where=fitting({"number": ("in", ["x"] * count)}))
            assert len(turn._lists) <= 3


@pytest.mark.parametrize("where", [{}, {"buyer": BOB}])
@pytest.mark.parametrize("order", ["time", "-time", "due", "-due"])
def test_a_page_is_found_in_an_index_and_never_sorted(filled: Vault, where: dict[str, Any], order: str) -> None:
    plans = plans_of_pages(filled, where, order)
    assert len(plans) >= 3
    assert all(plan.startswith("SEARCH") for plan in plans), plans


@pytest.mark.parametrize("where", [{}, {"buyer": BOB}])
def test_a_second_field_sorts_ties_alone_and_leads_no_search(filled: Vault, where: dict[str, Any]) -> None:
    """Walking the whole index of the second field was tried by SQLite, and took a hundred times as long."""
    plans = plans_of_pages(filled, where, ("due", "number"))
    assert any("due=" in plan for plan in plans)
    assert not any("number" in plan.replace("_number", "") for plan in plans), plans


def test_a_key_leads_the_search_whatever_the_order(filled: Vault) -> None:
    """Walking the index of the order until the key comes by was tried by SQLite, and took as long as the table."""
    plans = plans_of_pages(filled, {"number": "INV-000007"}, "time")
    assert any("number=?" in plan.replace("_number", "") for plan in plans), plans
