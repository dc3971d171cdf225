"""Words that are searched for, and the indexes that answer lists, on every database."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.test_vault import BACK_ENDS
from tests.unit.node.vault.samples import (
    Everything,
    Invoice,
    Line,
    SampleEngine,
    bytes32,
    contract,
    everything,
    fitting,
    invoice,
    transaction,
)

from interfirm.base.money import Money
from interfirm.base.time import Day
from interfirm.contracts.language import Template
from interfirm.node.vault import template_tables
from interfirm.node.vault.archived import ArchivedRow
from interfirm.node.vault.places import VaultPlace
from interfirm.node.vault.statements import Work
from interfirm.node.vault.vault import Vault
from interfirm.node.vault.where import EVERYTHING, Compare, Search, Where

SECRET = "Zaphodine"
NOTES = ["Bolts for Halden", "bolt, M8", "nuts and BÖLTS", None, "halden's boltage"]


@pytest.fixture
def engine() -> SampleEngine:
    return SampleEngine()


@pytest.fixture(params=sorted(BACK_ENDS))
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[VaultPlace]:
    with BACK_ENDS[request.param](tmp_path) as where:
        yield where


@pytest.fixture
def vault(place: VaultPlace, engine: SampleEngine) -> Iterator[Vault]:
    opened = Vault.open(place, contracts_engine=engine, durable=False)
    yield opened
    opened.close()


def add(vault: Vault, engine: SampleEngine, *values: Template) -> None:
    """The n-th value is made by the transaction of its place."""
    with vault.turn() as turn:
        turn.add_contracts([contract(engine.id_of(type(v)), v, by=bytes32(n)) for n, v in enumerate(values)])


def found(vault: Vault, text: str, *fields: str, template: str = "Invoice") -> list[int]:
    """Which values a search finds."""
    with vault.read() as turn:
        rows = turn.select(template, where=Search(fields, text)).rows
    return [n for n in range(10) for row in rows if row.ref.transaction == bytes32(n)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("bolts", [0, 2]), ("BOLT*", [0, 1, 2, 4]), ("bolt", [1]), ("halden bolt*", [0, 4]), ("m8", [1]),
        ("böl*", [0, 1, 2, 4]), ("olt", []), ("", [0, 1, 2, 3, 4]), ("bolts nothing", []),
        ('"bolts" OR x', []), ("bolts & !x", []), ("NOT bolts:*", []),
    ],
)  # fmt: skip
def test_each_database_finds_the_same_words(vault: Vault, engine: SampleEngine, text: str, wanted: list[int]) -> None:
    add(vault, engine, *(invoice(n, note=note) for n, note in enumerate(NOTES)))
    assert found(vault, text, "note") == wanted


def test_a_search_looks_at_the_fields_it_is_told_and_no_others(vault: Vault, engine: SampleEngine) -> None:
    add(vault, engine, invoice(1, note="secret"), invoice(2).replace(number="SECRET-2"))
    assert found(vault, "secret", "number") == [1]
    assert found(vault, "secret", "number", "note") == [0, 1]
    assert found(vault, "secret") == []


def test_words_are_found_in_nested_values(vault: Vault, engine: SampleEngine) -> None:
    lines = (Line("Steel bolt", Money(1, "EUR"), b""), Line("Nut", Money(2, "EUR"), b""))
    add(vault, engine, everything(), everything(lines=lines, table={"Depth": 1}))
    assert found(vault, "nut steel", "lines", template="Everything") == [1]
    assert found(vault, "depth", "table", template="Everything") == [1]


def test_what_was_archived_is_not_found_until_it_is_back(vault: Vault, engine: SampleEngine) -> None:
    made = transaction(1)
    stored = contract(engine.id_of(Invoice), invoice(1, note="bolts"), by=made.id)
    with vault.turn() as turn:
        turn.add_transaction(made)
        turn.add_contract(stored)
    with vault.turn() as turn:
        numbered = turn.numbered_contracts(made.id)
        turn.archive(made.id, ArchivedRow(archive=1, time_ms=made.time_ms))
    with vault.read() as turn:
        assert turn.select("Invoice", where=Search(("note",), "bolts")).rows == ()
    with vault.turn() as turn:
        turn.unarchive(1, made, numbered)
    with vault.read() as turn:
        assert [row.ref for row in turn.select("Invoice", where=Search(("note",), "bolts")).rows] == [stored.ref]


def held(folder: Path) -> bytes:
    """The bytes of the database's files."""
    return b"".join(each.read_bytes() for each in folder.iterdir() if each.is_file())


def test_private_values_are_never_among_the_words_and_leave_the_file_when_erased(
    tmp_path: Path, engine: SampleEngine
) -> None:
    path = tmp_path / "vault.sqlite"
    vault = Vault.open(path, contracts_engine=engine)
    add(vault, engine, everything())
    with vault.turn() as turn:
        turn.put_private(bytes32("s"), "person", SECRET.encode(), b"salt")
    fields = tuple(name for name in Everything.__struct_fields__ if name in ("text", "lines", "table", "colour"))
    assert found(vault, SECRET, *fields, template="Everything") == []
    assert SECRET.encode() in held(tmp_path)
    with vault.turn() as turn:
        turn.erase_subject("person")
    left = held(tmp_path)
    vault.close()
    assert SECRET.encode() not in left
    assert SECRET.lower().encode() not in left


class Killed(Exception):
    """The process ended here."""


def test_words_and_indexes_are_made_for_an_older_vault_even_when_that_is_cut_short(
    place: VaultPlace, engine: SampleEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault.open(place, contracts_engine=engine, durable=False)
    add(vault, engine, *(invoice(n, note=f"bolt {n % 2}") for n in range(7)))
    vault.close()
    monkeypatch.setattr(template_tables, "LAYOUT", template_tables.LAYOUT + 1)
    monkeypatch.setattr(template_tables, "FILL_COUNT", 2)
    fill, parts = template_tables.TemplateTables.fill, list[int]()

    def filled(self: Any, work: Work) -> bool:
        parts.append(1)
        if len(parts) == 4:
            raise Killed
        return fill(self, work)

    monkeypatch.setattr(template_tables.TemplateTables, "fill", filled)
    with pytest.raises(Killed):
        Vault.open(place, contracts_engine=engine, durable=False)
    before = len(parts)
    vault = Vault.open(place, contracts_engine=engine, durable=False)
    with vault.read() as turn:
        assert turn.total("Invoice").count == 7
    assert found(vault, "bolt 1", "note") == [1, 3, 5]
    assert len(parts) - before < 7, "what was filled is not filled again"
    vault.close()


def plans(vault: Vault, monkeypatch: pytest.MonkeyPatch, where: Where, order: Any = None) -> list[str]:
    """How the database reads the first two pages of a list."""
    asked: list[tuple[str, Any]] = []
    run = Work._run

    def noted(self: Work, text: str, arguments: Any, **more: Any) -> Any:
        asked.append((text, arguments))
        return run(self, text, arguments, **more)

    with vault.read() as turn:
        with monkeypatch.context() as patched:
            patched.setattr(Work, "_run", noted)
            page = turn.select("Invoice", where=where, order_by=order, limit=35)
            if page.next_cursor:
                turn.select("Invoice", where=where, order_by=order, limit=35, after=page.next_cursor)
        if turn._database.dialect.name == "sqlite":
            told = [turn._run(f"EXPLAIN QUERY PLAN {text}", given).fetchall() for text, given in asked]
            return [row[3] for rows in told for row in rows]
        for setting in ("enable_seqscan", "enable_sort"):  # which are quicker in a table as small as this
            turn._run(f"SET LOCAL {setting} = off", ())
        told = [turn._run(f"EXPLAIN {text}", given).fetchall() for text, given in asked]
        return [row[0] for rows in told for row in rows]


@pytest.fixture
def filled(vault: Vault, engine: SampleEngine) -> Vault:
    add(vault, engine, *(invoice(n, due=Day(n % 7), note=f"note {n}" if n % 3 else None) for n in range(200)))
    return vault


@pytest.mark.parametrize("order", ["buyer", "-buyer", "number", "payable", "-payable", "due", "note", "-note", "time"])
def test_a_list_in_any_order_is_read_from_an_index_and_never_sorted(
    filled: Vault, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    told = plans(filled, monkeypatch, EVERYTHING, order)
    assert any("ndex" in line or "INDEX" in line for line in told), told
    assert not [line for line in told if "B-TREE" in line or "Sort" in line], told


@pytest.mark.parametrize(
    ("where", "plan"),
    [
        (fitting({"number": "INV-000003"}), ("number=?", "number = 'INV-000003'")),
        (Compare("note", "like", "note 1%"), ("<expr>>? AND <expr><?", "substr(note, 1, 200) >= 'note 1'")),
    ],
)
def test_a_filter_is_answered_by_its_index(
    filled: Vault, monkeypatch: pytest.MonkeyPatch, where: Where, plan: tuple[str, str]
) -> None:
    told = " ".join(plans(filled, monkeypatch, where, "-number"))
    assert any(each in told for each in plan), told


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    ("template", "asked", "index"),
    [
        (Invoice, "invoice_{}_words WHERE words @@ CAST('00bolt' AS TSQUERY)", "i_samples_invoice"),
        (Everything, "everything_{} WHERE CAST(lines AS JSONB) @> CAST('[[1]]' AS JSONB)", "j0_samples_everything"),
        (Everything, "everything_{} WHERE CAST(\"table\" AS JSONB) ? 'a'", "j1_samples_everything"),
    ],
)
def test_words_and_nested_values_have_indexes_in_postgresql(
    vault: Vault, engine: SampleEngine, template: type[Template], asked: str, index: str
) -> None:
    with vault.turn() as turn:
        turn._run("SET LOCAL enable_seqscan = off", ())
        text = asked.format(engine.id_of(template).package.hex()[:8])
        told = " ".join(row[0] for row in turn._run(f"EXPLAIN SELECT 1 FROM samples_{text}", ()).fetchall())
    assert f"Bitmap Index Scan on {index}" in told


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
def test_words_are_found_by_fts5_in_sqlite(filled: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    told = plans(filled, monkeypatch, Search(("note",), "note*"), "time")
    assert any("_words VIRTUAL TABLE INDEX" in line for line in told), told
