"""The table of a template says what its contracts say."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.node.vault.samples import (
    Colour,
    Everything,
    Invoice,
    Line,
    SampleEngine,
    bytes32,
    contract,
    everything,
    fitting,
    invoice,
    refused,
)

from interfirm.base import codec
from interfirm.base.money import INTEGER_MAX, Money, Quantity, Rate, UnitPrice
from interfirm.base.time import Day, Instant
from interfirm.contracts.language import Hash, Party, Private, Ref, Template
from interfirm.contracts.types import ContractRef
from interfirm.node.vault import template_tables
from interfirm.node.vault.vault import Vault

hashes = st.binary(min_size=32, max_size=32)
integers = st.integers(-INTEGER_MAX, INTEGER_MAX)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
currencies = st.sampled_from(["EUR", "USD", "JPY"])
money = st.builds(Money, integers, currencies)
days = st.builds(Day, st.integers(-719_162, 2_932_896))
parties = st.builds(Party, hashes)
refs: st.SearchStrategy[Ref[Invoice]] = st.builds(Ref, st.none() | hashes, st.integers(0, 2**32 - 1))
lines = st.builds(Line, texts, money, st.binary(max_size=5))
whole = st.builds(
    Everything, party=parties, flag=st.booleans(), count=integers, text=texts, data=st.binary(max_size=40),
    money=money, price=st.builds(UnitPrice, integers, st.integers(0, 9), currencies),
    quantity=st.builds(Quantity, integers, st.integers(0, 9), st.sampled_from(["C62", "KGM"])),
    rate=st.builds(Rate, integers), due=days, moment=st.builds(Instant, st.integers(-(2**53), 2**53)),
    colour=st.sampled_from(Colour), ref=refs, hash=st.builds(Hash, hashes), secret=st.builds(Private, hashes),
    lines=st.lists(lines, max_size=3).map(tuple), table=st.dictionaries(texts, integers, max_size=3),
    maybe_party=st.none() | parties, maybe_money=st.none() | money, maybe_due=st.none() | days,
    maybe_ref=st.none() | refs, maybe_count=st.none() | integers,
)  # fmt: skip


@pytest.fixture
def engine() -> SampleEngine:
    return SampleEngine()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "vault.sqlite"


@pytest.fixture
def vault(path: Path, engine: SampleEngine) -> Iterator[Vault]:
    opened = Vault.open(path, contracts_engine=engine, durable=False)
    yield opened
    opened.close()


def tables_in(path: Path) -> list[str]:
    with sqlite3.connect(path) as connection:
        return [row[0] for row in connection.execute("SELECT table_name FROM template_tables ORDER BY number")]


def table_row(path: Path, table: str, ref: ContractRef) -> dict[str, Any]:
    with sqlite3.connect(path) as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute(
            f"SELECT * FROM {table} WHERE _transaction = ? AND _index = ?", (ref.transaction, ref.index)
        )
        return dict(found.fetchone())


def read_back(row: dict[str, Any], value: Everything) -> dict[str, Any]:
    """The contract's fields as a reader of the table understands its columns, written without the vault's help."""

    def hexed(plain: Any) -> Any:
        if isinstance(plain, list):
            return [hexed(item) for item in plain]
        if isinstance(plain, dict):
            return {hexed(key): hexed(item) for key, item in plain.items()}
        if isinstance(plain, str):
            return plain.replace("\x00", "\u2400")
        return plain.hex() if isinstance(plain, bytes) else plain

    assert json.loads(row["lines"]) == hexed(codec.plain(value.lines))
    assert row["due_date"] == str(value.due)
    maybe_money = (
        None if row["maybe_money_minor"] is None else Money(row["maybe_money_minor"], row["maybe_money_currency"])
    )
    maybe_ref: Ref[Invoice] | None = None
    if row["maybe_ref_index"] is not None:
        maybe_ref = Ref(row["maybe_ref_transaction"], row["maybe_ref_index"])
    return {
        "party": Party(row["party"]), "flag": bool(row["flag"]), "count": row["count"], "text": row["text"],
        "data": row["data"], "money": Money(row["money_minor"], row["money_currency"]),
        "price": UnitPrice(row["price_value"], row["price_scale"], row["price_currency"]),
        "quantity": Quantity(row["quantity_value"], row["quantity_scale"], row["quantity_unit"]),
        "rate": Rate(row["rate"]), "due": Day(row["due"]), "moment": Instant(row["moment"]),
        "colour": Colour(row["colour"]), "ref": Ref(row["ref_transaction"], row["ref_index"]),
        "hash": Hash(row["hash"]), "secret": Private(row["secret"]), "lines": value.lines,
        "table": value.table if json.loads(row["table"]) == hexed(value.table) else row["table"],
        "maybe_party": None if row["maybe_party"] is None else Party(row["maybe_party"]), "maybe_money": maybe_money,
        "maybe_due": None if row["maybe_due"] is None else Day(row["maybe_due"]), "maybe_ref": maybe_ref,
        "maybe_count": row["maybe_count"],
    }  # fmt: skip


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=whole, by=hashes)
def test_the_columns_say_what_the_payload_says(
    vault: Vault, engine: SampleEngine, path: Path, value: Everything, by: bytes
) -> None:
    stored = contract(engine.id_of(Everything), value, by=by)
    with vault.turn() as turn:
        if turn.contract(stored.ref) is not None:
            return  # the same maker again
        turn.add_contract(stored)
        assert turn.contract(stored.ref) == stored
    found = read_back(table_row(path, tables_in(path)[1], stored.ref), value)
    local: dict[str, Ref[Invoice]] = {
        name: Ref(by, ref.index)
        for name, ref in (("ref", value.ref), ("maybe_ref", value.maybe_ref))
        if ref and not ref.transaction
    }
    assert found == {**{name: getattr(value, name) for name in value.__struct_fields__}, **local}


def test_a_table_is_named_after_folder_template_and_package(vault: Vault, engine: SampleEngine, path: Path) -> None:
    package = engine.id_of(Invoice).package.hex()[:8]
    assert tables_in(path) == [f"samples_invoice_{package}", f"samples_everything_{package}"]


def test_the_status_in_the_table_follows_the_contract(vault: Vault, engine: SampleEngine, path: Path) -> None:
    stored = contract(engine.id_of(Invoice), invoice(), by=bytes32("t"))
    with vault.turn() as turn:
        turn.add_contract(stored)
        turn.consume(stored.ref, bytes32("consumer"))
    assert table_row(path, tables_in(path)[0], stored.ref)["_status"] == "consumed"


def test_templates_that_differ_by_case_alone_get_tables_of_their_own(path: Path) -> None:
    upper = type("INVOICE", (Invoice,), {"__module__": __name__})
    engine = SampleEngine(Invoice, upper)
    vault = Vault.open(path, contracts_engine=engine, durable=False)
    with vault.turn() as turn:
        turn.add_contract(contract(engine.id_of(upper), upper(**as_fields(invoice())), by=bytes32("t")))
        assert turn.total("INVOICE").count == 1
        assert turn.total("Invoice").count == 0
    vault.close()
    assert len(set(tables_in(path))) == 2


def as_fields(value: Template) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__struct_fields__}


def test_tables_of_an_older_layout_are_made_again_from_the_contracts(
    path: Path, engine: SampleEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = Vault.open(path, contracts_engine=engine, durable=False)
    stored = [contract(engine.id_of(Invoice), invoice(n), by=bytes32("t", n)) for n in range(5)]
    with vault.turn() as turn:
        for each in stored:
            turn.add_contract(each)
        turn.consume(stored[0].ref, bytes32("consumer"))
    vault.close()
    with sqlite3.connect(path) as connection:
        connection.execute(f"UPDATE {tables_in(path)[0]} SET number = 'wrong'")
    monkeypatch.setattr(template_tables, "LAYOUT", template_tables.LAYOUT + 1)
    monkeypatch.setattr(template_tables, "FILL_COUNT", 2)
    vault = Vault.open(path, contracts_engine=engine, durable=False)
    with vault.read() as turn:
        rows = turn.select("Invoice", order_by="number").rows
        assert [row.ref for row in rows] == [each.ref for each in stored[1:]]
        assert turn.total("Invoice", where=fitting({"number": "wrong"}), status=None).count == 0
        assert turn.total("Invoice", status="consumed").count == 1
    vault.close()


def test_tables_of_a_newer_layout_are_refused(
    path: Path, engine: SampleEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    Vault.open(path, contracts_engine=engine, durable=False).close()
    monkeypatch.setattr(template_tables, "LAYOUT", template_tables.LAYOUT - 1)
    with refused("vault.version"):
        Vault.open(path, contracts_engine=engine, durable=False)


def test_everything_fits_into_a_statement(vault: Vault, engine: SampleEngine) -> None:
    with vault.turn() as turn:
        turn.add_contract(contract(engine.id_of(Everything), everything(), by=bytes32("t")))
        assert turn.total("Everything").count == 1
