"""What every vault does, whatever database it lives in. A back end joins by adding how it is opened to `BACK_ENDS`."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.postgresql import a_database
from tests.unit.node.vault.samples import (
    ALICE,
    BOB,
    CAROL,
    Everything,
    Invoice,
    SampleEngine,
    bytes32,
    contract,
    everything,
    fitting,
    flow,
    invoice,
    move,
    refused,
    transaction,
)

from interfirm.base.errors import Refusal
from interfirm.base.money import Money
from interfirm.base.time import Day
from interfirm.contracts.language import Ref, Template
from interfirm.contracts.types import ContractRef
from interfirm.node.vault.places import VaultPlace, beside
from interfirm.node.vault.types import InboxItem, NotaryRequest, StoredContract, Timer
from interfirm.node.vault.vault import Vault

Opener = Callable[[SampleEngine], Vault]


@contextlib.contextmanager
def sqlite(folder: Path) -> Iterator[VaultPlace]:
    yield beside(folder / "vault.sqlite")


@contextlib.contextmanager
def postgresql(folder: Path) -> Iterator[VaultPlace]:
    with a_database() as url:
        yield VaultPlace(database=url, attachments=folder / "attachments")


BACK_ENDS: dict[str, Callable[[Path], contextlib.AbstractContextManager[VaultPlace]]] = {
    "sqlite": sqlite, "postgresql": postgresql,
}  # fmt: skip


@pytest.fixture(params=sorted(BACK_ENDS))
def open_vault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    with BACK_ENDS[request.param](tmp_path) as place:
        yield lambda engine: Vault.open(place, contracts_engine=engine)


@pytest.fixture
def engine() -> SampleEngine:
    return SampleEngine()


@pytest.fixture
def vault(open_vault: Opener, engine: SampleEngine) -> Iterator[Vault]:
    opened = open_vault(engine)
    yield opened
    opened.close()


def an_invoice(engine: SampleEngine, n: int = 1, value: Template | None = None, **changes: Any) -> StoredContract:
    """The n-th invoice, made by the n-th transaction."""
    value = value or invoice(n)
    return contract(engine.id_of(type(value)), value, by=bytes32("transaction", n), **changes)


def add_all(vault: Vault, contracts: list[StoredContract]) -> None:
    with vault.turn() as turn:
        for each in contracts:
            turn.add_contract(each)


def listed(vault: Vault, template: Any = "Invoice", where: Any = None, **options: Any) -> list[ContractRef]:
    """The refs of a whole list, read in pages of two."""
    found: list[ContractRef] = []
    after = None
    with vault.read() as turn:
        while True:
            page = turn.select(template, where=fitting(where or {}), after=after, limit=2, **options)
            found += [row.ref for row in page.rows]
            after = page.next_cursor
            if after is None:
                return found


# turns ----------------------------------------------------------------------------------------------------------------


def test_what_a_turn_wrote_is_there_after_it_is_opened_again(open_vault: Opener, engine: SampleEngine) -> None:
    first = open_vault(engine)
    add_all(first, [an_invoice(engine)])
    first.close()
    again = open_vault(engine)
    with again.read() as turn:
        assert turn.contract(an_invoice(engine).ref) == an_invoice(engine)
    again.close()


def test_a_turn_that_an_exception_leaves_wrote_nothing(vault: Vault, engine: SampleEngine) -> None:
    def turn_that_fails() -> None:
        with vault.turn() as turn:
            turn.add_contract(an_invoice(engine))
            turn.put_flow(flow())
            raise KeyError

    with pytest.raises(KeyError):
        turn_that_fails()
    with vault.read() as turn:
        assert turn.contract(an_invoice(engine).ref) is None
        assert turn.flows() == []


def test_a_turn_sees_what_it_wrote_and_others_see_it_after_the_commit(vault: Vault) -> None:
    with vault.turn() as turn:
        turn.put_flow(flow())
        assert turn.flow("flow-1") == flow()
        with vault.read() as other:
            assert other.flow("flow-1") is None
    with vault.read() as other:
        assert other.flow("flow-1") == flow()


def test_a_read_sees_one_state_while_turns_go_on(vault: Vault) -> None:
    with vault.turn() as turn:
        turn.put_flow(flow("one"))
    with vault.read() as reader:
        assert len(reader.flows()) == 1
        with vault.turn() as turn:
            turn.put_flow(flow("two"))
        assert len(reader.flows()) == 1


def test_a_read_does_not_write(vault: Vault) -> None:
    with vault.read() as turn, pytest.raises(AssertionError):
        turn.put_flow(flow())


def test_turns_do_not_nest(vault: Vault) -> None:
    with vault.turn(), pytest.raises(AssertionError), vault.turn():
        pass


def test_a_vault_in_use_is_refused(vault: Vault, open_vault: Opener, engine: SampleEngine) -> None:
    with pytest.raises(Refusal) as caught:
        open_vault(engine)
    assert caught.value.code == "vault.in-use"


def test_a_vault_can_be_opened_after_the_first_was_closed(open_vault: Opener, engine: SampleEngine) -> None:
    open_vault(engine).close()
    open_vault(engine).close()


def test_a_sound_vault_passes_its_check(vault: Vault, engine: SampleEngine) -> None:
    add_all(vault, [an_invoice(engine)])
    vault.check()


# transactions ---------------------------------------------------------------------------------------------------------


def test_a_transaction_is_found_by_its_id(vault: Vault) -> None:
    with vault.turn() as turn:
        turn.add_transaction(transaction())
        assert turn.transaction(transaction().id) == transaction()
        assert turn.transaction(bytes32("other")) is None


def test_a_transaction_added_twice_stays_as_it_was(vault: Vault) -> None:
    with vault.turn() as turn:
        turn.add_transaction(transaction())
        turn.add_transaction(transaction(status="dropped"))
        assert turn.transaction(transaction().id) == transaction()


def test_a_notarised_transaction_gets_receipt_height_and_time(vault: Vault) -> None:
    with vault.turn() as turn:
        turn.add_transaction(transaction())
        turn.set_transaction_status(transaction().id, "notarised", receipt=b"receipt", height=7, time_ms=2000)
        expected = transaction(status="notarised", receipt=b"receipt", height=7, time_ms=2000)
        assert turn.transaction(transaction().id) == expected


def test_a_status_alone_leaves_receipt_height_and_time(vault: Vault) -> None:
    with vault.turn() as turn:
        turn.add_transaction(transaction(receipt=b"receipt", height=7))
        turn.set_transaction_status(transaction().id, "dropped")
        assert turn.transaction(transaction().id) == transaction(receipt=b"receipt", height=7, status="dropped")


def test_the_status_of_an_unknown_transaction_is_refused(vault: Vault) -> None:
    with refused("vault.unknown"), vault.turn() as turn:
        turn.set_transaction_status(bytes32("x"), "dropped")


def test_transactions_are_listed_in_the_order_of_their_arrival(vault: Vault) -> None:
    many = [transaction(n) for n in range(5)]
    with vault.turn() as turn:
        for each in many:
            turn.add_transaction(each)
        assert turn.transactions() == many
        assert turn.transactions(limit=2) == many[:2]
        assert turn.transactions(after=many[1].id, limit=2) == many[2:4]
        assert turn.transactions(after=many[4].id) == []
        assert turn.transactions(newest_first=True, limit=2) == [many[4], many[3]]
        assert turn.transactions(newest_first=True, after=many[3].id) == [many[2], many[1], many[0]]


def test_a_list_that_goes_on_after_an_unknown_transaction_is_refused(vault: Vault) -> None:
    with refused("vault.cursor"), vault.read() as turn:
        turn.transactions(after=bytes32("x"))


# contracts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [invoice(), everything()])
def test_a_contract_comes_back_as_it_was_stored(vault: Vault, engine: SampleEngine, value: Template) -> None:
    stored = an_invoice(engine, value=value, status="active", known_valid=False, observers=(BOB.id, CAROL.id))
    add_all(vault, [stored])
    with vault.read() as turn:
        assert turn.contract(stored.ref) == stored


def test_an_unknown_contract_is_none(vault: Vault) -> None:
    with vault.read() as turn:
        assert turn.contract(ContractRef(bytes32("x"), 0)) is None


def test_a_contract_added_again_keeps_its_status(vault: Vault, engine: SampleEngine) -> None:
    stored = an_invoice(engine)
    with vault.turn() as turn:
        turn.add_contract(stored)
        turn.consume(stored.ref, bytes32("consumer"))
        turn.add_contract(stored)
        found = turn.contract(stored.ref)
        assert found is not None
        assert found.status == "consumed"
        assert turn.total("Invoice", status=None).count == 1


def test_a_contract_added_again_as_valid_becomes_known_to_be_valid(vault: Vault, engine: SampleEngine) -> None:
    with vault.turn() as turn:
        turn.add_contract(an_invoice(engine, known_valid=False))
        turn.add_contract(an_invoice(engine, known_valid=True))
        assert turn.contract(an_invoice(engine).ref) == an_invoice(engine, known_valid=True)
        turn.add_contract(an_invoice(engine, known_valid=False))
        assert turn.contract(an_invoice(engine).ref) == an_invoice(engine, known_valid=True)


def test_contracts_added_together_are_kept_and_those_there_before_stay(vault: Vault, engine: SampleEngine) -> None:
    made = [an_invoice(engine, n, known_valid=n != 2) for n in range(1, 5)]
    with vault.turn() as turn:
        turn.add_contracts(made[1:2])
        turn.consume(made[1].ref, bytes32("consumer"))
        turn.add_contracts([made[0], made[1].replace(known_valid=True), *made[2:]])
        turn.add_contracts(())
        turn.add_contracts(made)
        found = [turn.contract(each.ref) for each in made]
    consumed = made[1].replace(status="consumed", consumer=bytes32("consumer"), known_valid=True)
    assert found == [made[0], consumed, *made[2:]]
    assert listed(vault) == [each.ref for each in (made[0], *made[2:])]
    add_all(vault, [an_invoice(engine, 5)])
    assert len(listed(vault)) == 4


def test_a_contract_of_a_package_that_is_not_loaded_is_refused(vault: Vault) -> None:
    stranger = SampleEngine(version="other")
    with refused("vault.template"), vault.turn() as turn:
        turn.add_contract(an_invoice(stranger))


def test_a_consumed_contract_names_its_consumer_and_leaves_the_active_list(vault: Vault, engine: SampleEngine) -> None:
    add_all(vault, [an_invoice(engine, 1), an_invoice(engine, 2)])
    with vault.turn() as turn:
        turn.consume(an_invoice(engine, 1).ref, bytes32("consumer"))
        found = turn.contract(an_invoice(engine, 1).ref)
    assert found == an_invoice(engine, 1, status="consumed", consumer=bytes32("consumer"))
    assert listed(vault) == [an_invoice(engine, 2).ref]
    assert listed(vault, status="consumed") == [an_invoice(engine, 1).ref]


def test_consuming_twice_by_one_transaction_is_harmless_and_by_another_is_refused(
    vault: Vault, engine: SampleEngine
) -> None:
    stored = an_invoice(engine)
    with vault.turn() as turn:
        turn.add_contract(stored)
        turn.consume(stored.ref, bytes32("consumer"))
        turn.consume(stored.ref, bytes32("consumer"))
        with pytest.raises(Refusal) as caught:
            turn.consume(stored.ref, bytes32("another"))
    assert caught.value.code == "vault.consumed"
    assert caught.value.values["consumer"] == bytes32("consumer")


def test_consuming_an_unknown_contract_is_refused(vault: Vault) -> None:
    with refused("vault.unknown"), vault.turn() as turn:
        turn.consume(ContractRef(bytes32("x"), 0), bytes32("consumer"))


def test_a_locked_contract_leaves_the_active_list_until_it_is_unlocked(vault: Vault, engine: SampleEngine) -> None:
    stored = an_invoice(engine)
    add_all(vault, [stored])
    with vault.turn() as turn:
        turn.set_contract_status(stored.ref, "locked")
    assert listed(vault) == []
    assert listed(vault, status="locked") == [stored.ref]
    with vault.turn() as turn:
        turn.set_contract_status(stored.ref, "active")
    assert listed(vault) == [stored.ref]


def test_a_consumed_contract_is_not_made_active_again(vault: Vault, engine: SampleEngine) -> None:
    with refused("vault.consumed"), vault.turn() as turn:
        turn.add_contract(an_invoice(engine))
        turn.consume(an_invoice(engine).ref, bytes32("consumer"))
        turn.set_contract_status(an_invoice(engine).ref, "active")


def test_a_transaction_knows_what_it_made_and_what_it_ended(vault: Vault, engine: SampleEngine) -> None:
    maker, ender = bytes32("maker"), bytes32("ender")
    made = [contract(engine.id_of(Invoice), invoice(n), by=maker, index=n) for n in (2, 0, 1)]
    add_all(vault, made)
    with vault.turn() as turn:
        turn.consume(made[0].ref, ender)
        turn.consume(made[2].ref, ender)
        assert [c.ref.index for c in turn.contracts_created_by(maker)] == [0, 1, 2]
        assert {c.ref.index for c in turn.contracts_consumed_by(ender)} == {2, 1}
        assert turn.contracts_created_by(ender) == []


def test_the_history_of_a_contract_is_what_it_grew_out_of(vault: Vault, engine: SampleEngine) -> None:
    chain = [an_invoice(engine, n) for n in range(4)]
    other = an_invoice(engine, 50, value=everything())
    add_all(vault, [*chain, other, an_invoice(engine, 60)])
    with vault.turn() as turn:
        for earlier, later in itertools.pairwise(chain):
            turn.consume(earlier.ref, later.ref.transaction or b"")
        turn.consume(other.ref, chain[3].ref.transaction or b"")
        assert [c.ref for c in turn.history_of(chain[3].ref)] == [c.ref for c in reversed(chain)]
        assert [c.ref for c in turn.history_of(chain[0].ref)] == [chain[0].ref]


def test_a_history_goes_on_through_an_upgraded_package(open_vault: Opener) -> None:
    engine = SampleEngine(version="1")
    old = an_invoice(engine, 1)
    vault = open_vault(engine)
    add_all(vault, [old])
    engine.add(Invoice, version="2")
    vault.load_template_tables()
    new = an_invoice(engine, 2)
    add_all(vault, [new])
    with vault.turn() as turn:
        turn.consume(old.ref, new.ref.transaction or b"")
        assert [c.ref for c in turn.history_of(new.ref)] == [new.ref, old.ref]
    vault.close()


def test_the_history_of_an_unknown_contract_is_refused(vault: Vault) -> None:
    with refused("vault.unknown"), vault.read() as turn:
        turn.history_of(ContractRef(bytes32("x"), 0))


# lists ----------------------------------------------------------------------------------------------------------------


def test_a_list_without_an_order_is_by_time_and_ties_by_arrival(vault: Vault, engine: SampleEngine) -> None:
    times = [5, 3, 5, 1, 3]
    stored = [an_invoice(engine, n, time_ms=time) for n, time in enumerate(times)]
    add_all(vault, stored)
    assert listed(vault) == [stored[n].ref for n in (3, 1, 4, 0, 2)]
    assert listed(vault, order_by="-time") == [stored[n].ref for n in (2, 0, 4, 1, 3)]


def test_a_list_is_ordered_by_fields_each_up_or_down(vault: Vault, engine: SampleEngine) -> None:
    amounts = [Money(2, "EUR"), Money(1, "EUR"), Money(1, "USD"), Money(2, "EUR")]
    stored = [an_invoice(engine, n, invoice(n, payable=amount)) for n, amount in enumerate(amounts)]
    add_all(vault, stored)
    assert listed(vault, order_by=("payable", "-number")) == [stored[n].ref for n in (1, 3, 0, 2)]
    assert listed(vault, order_by=("-payable", "number")) == [stored[n].ref for n in (2, 0, 3, 1)]


def test_empty_fields_come_first_and_descending_last(vault: Vault, engine: SampleEngine) -> None:
    notes = [None, "b", None, "a", None]
    stored = [an_invoice(engine, n, invoice(n, note=note)) for n, note in enumerate(notes)]
    add_all(vault, stored)
    assert listed(vault, order_by="note") == [stored[n].ref for n in (0, 2, 4, 3, 1)]
    assert listed(vault, order_by="-note") == [stored[n].ref for n in (1, 3, 4, 2, 0)]
    assert listed(vault, order_by=("-note", "number")) == [stored[n].ref for n in (1, 3, 0, 2, 4)]


WHERES: list[tuple[dict[str, Any], set[int]]] = [
    ({}, {0, 1, 2, 3}),
    ({"buyer": BOB}, {0, 2}),
    ({"buyer": BOB.id}, {0, 2}),
    ({"buyer": ("ne", BOB)}, {1, 3}),
    ({"number": "INV-000001"}, {1}),
    ({"number": ("in", ["INV-000001", "INV-000003", "x"])}, {1, 3}),
    ({"number": ("in", [])}, set()),
    ({"due": Day.of(2026, 1, 2)}, {1}),
    ({"due": ("lt", Day.of(2026, 1, 3))}, {0, 1}),
    ({"due": ("le", Day.of(2026, 1, 3))}, {0, 1, 2}),
    ({"due": ("gt", Day.of(2026, 1, 3))}, {3}),
    ({"due": ("ge", Day.of(2026, 1, 3).number)}, {2, 3}),
    ({"payable": Money(100, "EUR")}, {1}),
    ({"payable": ("ge", Money(100, "EUR"))}, {1, 2}),
    ({"payable": ("ge", [100, "USD"])}, {3}),
    ({"note": None}, {0, 1}),
    ({"note": ("ne", None)}, {2, 3}),
    ({"note": ("ne", "two")}, {0, 1, 3}),
    ({"buyer": BOB, "due": ("gt", Day.of(2026, 1, 1))}, {2}),
]


@pytest.mark.parametrize(("where", "expected"), WHERES)
def test_a_list_can_be_filtered(vault: Vault, engine: SampleEngine, where: dict[str, Any], expected: set[int]) -> None:
    values = [
        invoice(0, buyer=BOB, payable=Money(0, "EUR"), due=Day.of(2026, 1, 1)),
        invoice(1, buyer=CAROL, payable=Money(100, "EUR"), due=Day.of(2026, 1, 2)),
        invoice(2, buyer=BOB, payable=Money(200, "EUR"), due=Day.of(2026, 1, 3), note="two"),
        invoice(3, buyer=ALICE, payable=Money(100, "USD"), due=Day.of(2026, 1, 4), note="three"),
    ]
    stored = [an_invoice(engine, n, value) for n, value in enumerate(values)]
    add_all(vault, stored)
    assert set(listed(vault, where=where)) == {stored[n].ref for n in expected}
    with vault.read() as turn:
        assert turn.total("Invoice", where=fitting(where)).count == len(expected)


EVERYTHING: list[tuple[dict[str, Any], bool]] = [
    ({"flag": True}, True),
    ({"flag": False}, False),
    ({"count": ("lt", 0)}, True),
    ({"colour": "green"}, True),
    ({"colour": "red"}, False),
    ({"quantity": [1000, 0, "C62"]}, True),
    ({"price": [880, 5, "USD"]}, False),
    ({"rate": 850_000}, True),
    ({"ref": Ref(bytes32("t"), 3)}, True),
    ({"ref": Ref(bytes32("t"), 4)}, False),
    ({"secret": bytes32("s")}, True),
    ({"data": b"\x00\x01"}, True),
    ({"maybe_money": None}, True),
    ({"maybe_ref": None}, True),
]


@pytest.mark.parametrize(("where", "found"), EVERYTHING)
def test_fields_of_every_kind_can_be_compared(
    vault: Vault, engine: SampleEngine, where: dict[str, Any], found: bool
) -> None:
    add_all(vault, [an_invoice(engine, value=everything())])
    assert bool(listed(vault, engine.id_of(Everything), where=where)) is found


def test_a_local_ref_is_listed_under_the_transaction_that_made_it(vault: Vault, engine: SampleEngine) -> None:
    stored = an_invoice(engine, value=everything(ref=Ref(None, 4)))
    add_all(vault, [stored])
    assert listed(vault, engine.id_of(Everything), where={"ref": Ref(stored.ref.transaction, 4)}) == [stored.ref]


BAD_LISTS: list[tuple[dict[str, Any], str]] = [
    ({"template": "Nothing"}, "vault.template"),
    ({"template": "folder.Invoice"}, "vault.template"),
    ({"where": {"nothing": 1}}, "vault.where"),
    ({"where": {"due": "2026-01-01"}}, "vault.where"),
    ({"where": {"buyer": b"short"}}, "vault.where"),
    ({"where": {"number": ("lt", None)}}, "vault.where"),
    ({"where": {"payable": ("lt", None)}}, "vault.where"),
    ({"where": {"number": ("in", "INV")}}, "vault.where"),
    ({"where": {"number": ("in", ["x"] * 1001)}}, "vault.where"),
    ({"where": {"due": 1.5}}, "vault.where"),
    ({"where": {"note": ["no", "value"]}}, "vault.where"),
    ({"order_by": [1]}, "vault.order"),
    ({"order_by": "nothing"}, "vault.order"),
    ({"order_by": ("number",) * 5}, "vault.order"),
    ({"status": "nothing"}, "vault.status"),
    ({"limit": 0}, "vault.limit"),
    ({"limit": 1001}, "vault.limit"),
    ({"after": "%%%"}, "vault.cursor"),
    ({"after": "gaFh"}, "vault.cursor"),
]


@pytest.mark.parametrize(("options", "code"), BAD_LISTS)
def test_a_list_that_cannot_be_is_refused(vault: Vault, options: dict[str, Any], code: str) -> None:
    with pytest.raises(Refusal) as caught, vault.read() as turn:
        turn.select(**{"template": "Invoice", **options, "where": fitting(options.get("where", {}))})
    assert caught.value.code == code


@pytest.mark.parametrize("field", ["lines", "price", "quantity", "ref", "table"])
def test_a_list_is_not_ordered_by_what_has_no_order(vault: Vault, field: str) -> None:
    with refused("vault.order"), vault.read() as turn:
        turn.select("Everything", order_by=field)


@pytest.mark.parametrize(
    "changes",
    [{"where": fitting({"buyer": BOB})}, {"order_by": "due"}, {"status": None}, {"template": "samples.Invoice"}],
)
def test_a_cursor_is_good_for_its_own_list_alone(vault: Vault, engine: SampleEngine, changes: dict[str, Any]) -> None:
    add_all(vault, [an_invoice(engine, n) for n in range(3)])
    with vault.read() as turn, refused("vault.cursor"):
        cursor = turn.select("Invoice", limit=1).next_cursor
        assert cursor is not None
        turn.select(**{"template": "Invoice", "after": cursor, **changes})


def test_a_list_of_all_statuses_is_in_one_order(vault: Vault, engine: SampleEngine) -> None:
    stored = [an_invoice(engine, n) for n in range(7)]
    add_all(vault, stored)
    with vault.turn() as turn:
        turn.consume(stored[1].ref, bytes32("x"))
        turn.consume(stored[4].ref, bytes32("x"))
        turn.set_contract_status(stored[2].ref, "locked")
        assert turn.total("Invoice", status=None).count == 7
    assert listed(vault, status=None, order_by="number") == [c.ref for c in stored]
    assert listed(vault, status=None, order_by="-number") == [c.ref for c in reversed(stored)]


def test_a_list_by_name_goes_over_all_versions_and_by_id_over_one(open_vault: Opener) -> None:
    engine = SampleEngine(version="1")
    old = engine.id_of(Invoice)
    vault = open_vault(engine)
    first = [an_invoice(engine, n) for n in (1, 3, 5)]
    add_all(vault, first)
    engine.add(Invoice, version="2")
    vault.load_template_tables()
    second = [an_invoice(engine, n) for n in (2, 4)]
    add_all(vault, second)
    by_number = sorted([*first, *second], key=lambda c: c.payload[2])
    assert listed(vault, "samples.Invoice", order_by="number") == [c.ref for c in by_number]
    assert listed(vault, old) == [c.ref for c in first]
    vault.close()


def test_a_name_means_the_newest_template_that_bears_it(open_vault: Opener) -> None:
    engine = SampleEngine(Invoice, folder="one.bills")
    vault = open_vault(engine)
    add_all(vault, [an_invoice(engine, 1)])
    engine.add(Invoice, folder="two.claims")
    vault.load_template_tables()
    add_all(vault, [an_invoice(engine, 2), an_invoice(engine, 3)])
    with vault.read() as turn:
        names = ("Invoice", "bills.Invoice", "claims.Invoice", "one.bills.Invoice")
        assert [turn.total(name).count for name in names] == [2, 1, 2, 1]
        with refused("vault.template"):
            turn.total("ills.Invoice")
    vault.close()


def test_tables_of_new_packages_are_made_once(vault: Vault, engine: SampleEngine) -> None:
    engine.add(Invoice, version="2")
    vault.load_template_tables()
    vault.load_template_tables()
    add_all(vault, [an_invoice(engine)])
    assert listed(vault, engine.id_of(Invoice)) == [an_invoice(engine).ref]


def test_contracts_stay_readable_when_their_package_is_not_loaded_any_more(
    open_vault: Opener, engine: SampleEngine
) -> None:
    vault = open_vault(engine)
    add_all(vault, [an_invoice(engine)])
    vault.close()
    vault = open_vault(SampleEngine(version="2"))
    with vault.read() as turn:
        assert turn.contract(an_invoice(engine).ref) == an_invoice(engine)
    vault.close()


def test_an_indexed_text_of_any_length_and_any_character_is_kept(vault: Vault, engine: SampleEngine) -> None:
    letters = "".join(chr(0x4E00 + 37 * n % 20_000) for n in range(60_000))
    for n, number in enumerate((letters, "with \x00 in it", "\u2400", "")):
        made = contract(engine.id_of(Invoice), invoice(n).replace(number=number), by=bytes32("transaction", n))
        add_all(vault, [made])
        with vault.read() as turn:
            assert turn.contract(made.ref) == made
    assert len(listed(vault, order_by="number")) == 4


def test_texts_are_ordered_by_their_bytes(vault: Vault, engine: SampleEngine) -> None:
    numbers = ["B", "a", "b", "A", "\u00e9", "z", "-", "1", "\U0001f600"]
    add_all(vault, [an_invoice(engine, n, invoice(n).replace(number=number)) for n, number in enumerate(numbers)])
    with vault.read() as turn:
        page = turn.select("Invoice", order_by="number")
    assert [row.payload[2] for row in page.rows] == sorted(numbers, key=str.encode)


# moves ----------------------------------------------------------------------------------------------------------------


def test_a_contract_that_moved_says_how_it_came_there(vault: Vault, engine: SampleEngine) -> None:
    made = an_invoice(engine)
    first = move(made.ref, 1, status="moved", import_receipt=b"imported")
    second = move(ContractRef(first.lock, 0), 2)
    with vault.turn() as turn:
        turn.put_move(first)
        turn.put_move(second)
    with vault.read() as turn:
        assert turn.moves_to(ContractRef(second.lock, 0)) == (first, second)
        assert turn.moves_to(ContractRef(first.lock, 0)) == (first,)
        assert turn.moves_to(made.ref) == ()
        assert turn.move(first.lock) == first
        assert turn.moves(limit=1) == [first]
        assert turn.moves(after=first.lock) == [second]
        with refused("vault.cursor"):
            turn.moves(after=made.ref.transaction)


def test_a_move_goes_on_and_another_attempt_stands_beside_it(vault: Vault, engine: SampleEngine) -> None:
    ref = an_invoice(engine).ref
    undone, again = move(ref, 1).replace(status="undone"), move(ref, 2)
    with vault.turn() as turn:
        turn.put_move(move(ref, 1))
        turn.put_move(undone)
        turn.put_move(again)
    with vault.read() as turn:
        assert turn.moves_from(ref) == [again, undone]


def test_a_contract_that_moved_keeps_the_ref_of_its_making(vault: Vault, engine: SampleEngine) -> None:
    """Refs to contracts of the same transaction mean the one that made it, wherever it lives."""
    made = an_invoice(engine, 1, everything(ref=Ref(None, 3)))
    there = made.replace(ref=ContractRef(bytes32("lock", 1), 0), origin=made.ref)
    with vault.turn() as turn:
        turn.add_contract(made)
        turn.consume(made.ref, bytes32("lock", 1))
        turn.add_contract(there)
    with vault.read() as turn:
        assert turn.contract(there.ref) == there
        assert there.created_as == made.ref
        assert turn.contract(made.ref) == made.replace(status="consumed", consumer=bytes32("lock", 1))
        assert [each.ref for each in turn.history_of(there.ref)] == [there.ref, made.ref]
    found = listed(vault, "Everything", where={"ref": Ref(made.ref.transaction, 3)}, status=None)
    assert sorted(found) == sorted([made.ref, there.ref])


# soft locks -----------------------------------------------------------------------------------------------------------

ONE, TWO = ContractRef(bytes32("one"), 0), ContractRef(bytes32("two"), 0)


def test_a_locked_contract_is_refused_to_another_flow_naming_the_holder(vault: Vault) -> None:
    with vault.turn() as turn:
        turn.soft_lock([ONE], "first", 1000, 0)
        with pytest.raises(Refusal) as caught:
            turn.soft_lock([TWO, ONE], "second", 1000, 500)
        assert caught.value.code == "vault.locked"
        assert caught.value.values["holder"] == "first"
        assert turn.locked_by(TWO, 500) is None


def test_the_holder_locks_again_and_so_renews(vault: Vault) -> None:
    with vault.turn() as turn:
        turn.soft_lock([ONE], "first", 1000, 0)
        turn.soft_lock([ONE], "first", 2000, 500)
        lock = turn.locked_by(ONE, 1500)
    assert lock is not None
    assert (lock.holder, lock.until_ms) == ("first", 2000)


def test_a_lease_that_is_over_binds_nobody(vault: Vault) -> None:
    with vault.turn() as turn:
        turn.soft_lock([ONE], "first", 1000, 0)
        assert turn.locked_by(ONE, 1000) is None
        turn.soft_lock([ONE], "second", 3000, 1000)
        lock = turn.locked_by(ONE, 2000)
    assert lock is not None
    assert lock.holder == "second"


def test_all_locks_of_a_holder_are_renewed_and_released_together(vault: Vault) -> None:
    with vault.turn() as turn:
        turn.soft_lock([ONE, TWO], "first", 1000, 0)
        turn.renew_locks("first", 5000)
        assert turn.locked_by(TWO, 4000) is not None
        turn.release_locks("first")
        assert turn.locked_by(ONE, 0) is None
        assert turn.locked_by(TWO, 0) is None


# flows ----------------------------------------------------------------------------------------------------------------


def test_a_flow_is_replaced_by_its_newer_record(vault: Vault) -> None:
    with vault.turn() as turn:
        turn.put_flow(flow())
        turn.put_flow(flow(state="done", result=b"result", changed_ms=2000))
        assert turn.flow("flow-1") == flow(state="done", result=b"result", changed_ms=2000)
        assert turn.flow("none") is None


def test_flows_are_listed_by_start_and_state(vault: Vault) -> None:
    flows = [flow(f"f{n}", started_ms=1000 - n // 2, state="done" if n % 2 else "waiting") for n in range(6)]
    in_order = sorted(flows, key=lambda f: (f.started_ms, f.id))
    with vault.turn() as turn:
        for each in flows:
            turn.put_flow(each)
        assert turn.flows() == in_order
        assert turn.flows(limit=2) == in_order[:2]
        assert turn.flows(after=in_order[1].id, limit=3) == in_order[2:5]
        assert turn.flows(state="done") == [f for f in in_order if f.state == "done"]
        assert turn.flows(newest_first=True, after=in_order[4].id) == in_order[3::-1]
        assert turn.flows(state="done", newest_first=True, limit=1) == [f for f in in_order if f.state == "done"][-1:]
        with refused("vault.cursor"):
            turn.flows(after="none")


def test_a_journal_is_read_in_its_order_and_forgotten_as_a_whole(vault: Vault) -> None:
    with vault.turn() as turn:
        for n in (0, 1, 2, 10, 9):
            turn.journal_append([("a", n, b"%d" % n)])
        turn.journal_append([("b", 0, b"other")])
        assert turn.journal("a") == [b"0", b"1", b"2", b"9", b"10"]
        turn.delete_journal("a")
        assert turn.journal("a") == []
        assert turn.journal("b") == [b"other"]


def test_a_journal_entry_is_never_written_over(vault: Vault) -> None:
    def turn_that_fails() -> None:
        with vault.turn() as turn:
            turn.journal_append([("a", 0, b"first")])
            with contextlib.suppress(Exception):  # a bug that is caught ends the turn all the same
                turn.journal_append([("a", 0, b"second")])

    with pytest.raises(Exception, match=r"(?i)unique"):
        turn_that_fails()
    with vault.read() as turn:
        assert turn.journal("a") == []


def test_timers_are_due_at_their_instant_earliest_first(vault: Vault) -> None:
    with vault.turn() as turn:
        assert turn.next_timer_ms() is None
        turn.set_timer(Timer(flow="a", at_ms=300, key="x"))
        turn.set_timer(Timer(flow="a", at_ms=100, key="y"))
        turn.set_timer(Timer(flow="b", at_ms=200, key="x"))
        turn.set_timer(Timer(flow="b", at_ms=250, key="x"))
        assert turn.next_timer_ms() == 100
        assert turn.timers_due(99) == []
        due = [Timer(flow="a", at_ms=100, key="y"), Timer(flow="b", at_ms=250, key="x")]
        assert turn.timers_due(250) == due
        turn.clear_timer("a", "y")
        turn.clear_timer("a", "none")
        assert turn.next_timer_ms() == 250


def test_requests_to_a_notary_are_kept_until_answered(vault: Vault) -> None:
    first = NotaryRequest(id=b"1", flow="a", notary=b"n", request=b"r", attempts=0, next_ms=200)
    second = first.replace(id=b"2", next_ms=100)
    with vault.turn() as turn:
        assert turn.next_notary_request_ms() is None
        turn.put_notary_request(first)
        turn.put_notary_request(second)
        assert turn.notary_requests_due(200) == [second, first]
        turn.put_notary_request(second.replace(attempts=1, next_ms=900))
        assert turn.notary_request(b"2") == second.replace(attempts=1, next_ms=900)
        assert turn.next_notary_request_ms() == 200
        turn.delete_notary_request(b"1")
        assert turn.notary_request(b"1") is None
        assert turn.notary_requests_due(10_000) == [second.replace(attempts=1, next_ms=900)]


def test_the_inbox_holds_questions_until_they_are_decided(vault: Vault) -> None:
    first = InboxItem(
        id="i1", flow="f", kind="sign", summary={"amount": "1.00", "raw": b"\x00", "lines": [1, None]}, created_ms=1,
        state="open", reason="",
    )  # fmt: skip
    second = first.replace(id="i2", created_ms=2)
    with vault.turn() as turn:
        turn.put_inbox(second)
        turn.put_inbox(first)
        assert turn.inbox() == [first, second]
        assert turn.inbox(after="i1") == [second]
        assert turn.inbox(newest_first=True, limit=1) == [second]
        turn.set_inbox("i1", "declined", reason="too late")
        assert turn.inbox() == [second]
        assert turn.inbox_item("i1") == first.replace(state="declined", reason="too late")
        assert [item.id for item in turn.inbox(state=None)] == ["i1", "i2"]
        with refused("vault.unknown"):
            turn.set_inbox("none", "approved")


# small rows and private values ----------------------------------------------------------------------------------------


def test_blobs_are_kept_by_space_and_key_and_read_in_order(vault: Vault) -> None:
    with vault.turn() as turn:
        for key in (b"\x02", b"\x00", b"\x01", b"\xff"):
            turn.blob_put("space", key, b"value" + key)
        turn.blob_put("other", b"\x01", b"other")
        turn.blob_put("space", b"\x01", b"new")
        everything_there = [
            (b"\x00", b"value\x00"),
            (b"\x01", b"new"),
            (b"\x02", b"value\x02"),
            (b"\xff", b"value\xff"),
        ]
        assert turn.blobs("space") == everything_there
        assert turn.blobs("space", after=b"\x00", limit=2) == everything_there[1:3]
        assert turn.blob_get("other", b"\x01") == b"other"
        turn.blob_delete("space", b"\x01")
        turn.blob_delete("space", b"none")
        assert turn.blob_get("space", b"\x01") is None
        assert turn.blobs("none") == []


def test_an_empty_blob_is_there(vault: Vault) -> None:
    with vault.turn() as turn:
        turn.blob_put("space", b"", b"")
        assert turn.blob_get("space", b"") == b""
        assert turn.blobs("space") == [(b"", b"")]


def test_erasing_a_subject_forgets_its_values_and_no_others(vault: Vault) -> None:
    with vault.turn() as turn:
        turn.put_private(b"c1", "person-1", b"value-1", b"salt-1")
        turn.put_private(b"c2", "person-1", b"value-2", b"salt-2")
        turn.put_private(b"c3", "person-2", b"value-3", b"salt-3")
        found = turn.private(b"c1")
        assert found is not None
        assert (found.subject, found.value, found.salt) == ("person-1", b"value-1", b"salt-1")
        assert turn.erase_subject("person-1") == 2
        assert turn.private(b"c1") is None
        assert turn.private(b"c2") is None
        assert turn.private(b"c3") is not None


# attached files -------------------------------------------------------------------------------------------------------


def test_an_attached_file_is_found_by_its_hash(vault: Vault) -> None:
    content = vault.attachment_put_stream([b"one ", b"two"])
    assert vault.attachment_here(content)
    with vault.attachment_open(content) as file:
        assert file.read() == b"one two"
    assert vault.attachment_put_stream(io.BytesIO(b"one two")) == content


def test_an_attached_file_that_is_another_one_is_refused(vault: Vault) -> None:
    with refused("vault.attachment-hash"):
        vault.attachment_put_stream([b"one"], content=bytes32("other"))
    assert not vault.attachment_here(bytes32("other"))


def test_an_unknown_attached_file_is_refused(vault: Vault) -> None:
    with refused("vault.attachment-unknown"):
        vault.attachment_open(bytes32("none"))


def test_a_part_that_fails_is_taken_back_and_the_rest_of_the_turn_stays(vault: Vault, engine: SampleEngine) -> None:
    with vault.turn() as turn:
        turn.blob_put("space", b"before", b"1")
        with contextlib.suppress(ValueError), turn.all_or_nothing():
            turn.add_contract(an_invoice(engine, 1))
            turn.blob_put("space", b"inside", b"2")
            raise ValueError
        with turn.all_or_nothing():
            turn.add_contract(an_invoice(engine, 2))
    with vault.read() as turn:
        assert turn.blobs("space") == [(b"before", b"1")]
        assert turn.contract(an_invoice(engine, 1).ref) is None
        assert turn.contract(an_invoice(engine, 2).ref) is not None
