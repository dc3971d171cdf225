"""A vault goes from any database to any other, and says the same there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.postgresql import a_database
from tests.unit.node.vault.samples import (
    Invoice,
    SampleEngine,
    bytes32,
    contract,
    everything,
    flow,
    invoice,
    move,
    refused,
    transaction,
)

from interfirm.node.vault import transfer
from interfirm.node.vault.places import DatabaseUrl, VaultPlace
from interfirm.node.vault.transfer import copy_vault, sums
from interfirm.node.vault.types import InboxItem, NotaryRequest, Timer
from interfirm.node.vault.vault import Vault, open_database

ENGINE = SampleEngine()
PAIRS = [(a, b) for a in ("sqlite", "postgresql") for b in ("sqlite", "postgresql")]


@contextlib.contextmanager
def place(kind: str, folder: Path) -> Iterator[VaultPlace]:
    with contextlib.ExitStack() as stack:
        database: Path | DatabaseUrl = folder / "vault.sqlite"
        if kind == "postgresql":
            database = stack.enter_context(a_database())
        yield VaultPlace(database=database, attachments=folder / "attachments")


@pytest.fixture(params=PAIRS, ids="-".join)
def places(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[VaultPlace, VaultPlace]]:
    one, other = request.param
    with place(one, tmp_path / "one") as source, place(other, tmp_path / "other") as target:
        yield source, target


def fill(where: VaultPlace, count: int) -> None:
    vault = Vault.open(where, contracts_engine=ENGINE, durable=False)
    with vault.turn() as turn:
        for n in range(count):
            made = contract(ENGINE.id_of(Invoice), invoice(n), by=bytes32("transaction", n))
            turn.add_transaction(transaction(n))
            turn.add_contract(made)
            turn.blob_put(f"space\x00{n % 2}", bytes32(n), bytes32(n))
            turn.put_flow(flow(f"flow-{n}"))
        other = contract(ENGINE.id_of(type(everything())), everything(text="\x00"), by=bytes32("other"))
        turn.add_contract(other)
        turn.consume(other.ref, bytes32("end"))
        turn.soft_lock([made.ref], "flow-0", 1000, 0)
        turn.journal_append([("flow-0", n, b"entry") for n in range(3)])
        turn.set_timer(Timer(flow="flow-0", at_ms=1, key="k"))
        turn.put_notary_request(NotaryRequest(id=b"1", flow="f", notary=b"", request=b"", attempts=0, next_ms=1))
        turn.put_inbox(InboxItem(id="i", flow="f", kind="k", summary={}, created_ms=1, state="open", reason=""))
        turn.put_private(b"c", "person", b"value", b"salt")
        turn.put_move(move(made.ref, 1))
    vault.close()


def copy(source: VaultPlace, target: VaultPlace) -> list[transfer.TableSum]:
    with contextlib.ExitStack() as stack:
        opened = []
        for each in (source, target):
            opened.append(open_database(each.database))
            stack.callback(opened[-1].close)
        return copy_vault(opened[0], opened[1])


def test_everything_is_there_afterwards_and_lists_say_the_same(places: tuple[VaultPlace, VaultPlace]) -> None:
    source, target = places
    fill(source, 3)
    copied = {each.table: each.rows_count for each in copy(source, target)}
    assert copied["contracts"] == 4
    assert all(copied[name] for name in transfer.metadata.tables if name in HELD), copied
    pages = []
    for where in (source, target):
        vault = Vault.open(where, contracts_engine=ENGINE)
        with vault.read() as turn:
            pages.append((turn.select("Invoice", order_by="-number"), turn.total("Everything", status="consumed").count,
                          turn.flows(), turn.private(b"c"), turn.moves()))  # fmt: skip
        vault.close()
    assert pages[0] == pages[1]


HELD = {"transactions", "template_tables", "contracts", "moves", "soft_locks", "flows", "journal", "timers",
        "notary_requests", "inbox", "blobs", "privates"}  # fmt: skip


def test_a_vault_of_many_batches_comes_out_whole(
    places: tuple[VaultPlace, VaultPlace], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "BATCH_ROWS", 4)
    source, target = places
    fill(source, 12)  # of some tables an even number of batches, of others not
    copied = {each.table: each.rows_count for each in copy(source, target)}
    assert (copied["contracts"], copied["blobs"], copied["flows"]) == (13, 12, 12)


def test_a_database_that_holds_a_vault_is_not_written_over(places: tuple[VaultPlace, VaultPlace]) -> None:
    source, target = places
    fill(source, 1)
    fill(target, 2)
    with refused("vault.not-empty"):
        copy(source, target)
    database = open_database(target.database)
    assert {each.table: each.rows_count for each in sums(database)}["flows"] == 2
    database.close()


def test_a_copy_that_fails_leaves_the_target_empty(
    places: tuple[VaultPlace, VaultPlace], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = places
    fill(source, 2)
    ends = iter(range(5))
    with monkeypatch.context() as patched:
        patched.setattr(transfer, "_value", lambda column, value: next(ends))
        with pytest.raises(RuntimeError):
            copy(source, target)
    assert copy(source, target), "and it can be done again"


def test_a_copy_that_differs_is_refused(places: tuple[VaultPlace, VaultPlace], monkeypatch: pytest.MonkeyPatch) -> None:
    source, target = places
    fill(source, 2)
    found = transfer.sums

    def without_one(database: transfer.Readable) -> list[transfer.TableSum]:
        return [each.replace(rows_count=each.rows_count - 1) for each in found(database)]

    monkeypatch.setattr(transfer, "sums", without_one)
    with refused("vault.copy"):
        copy(source, target)
