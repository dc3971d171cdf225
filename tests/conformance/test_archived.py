"""Old rows leave a vault and come back to their places, on every database."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.conformance.test_vault import BACK_ENDS
from tests.unit.node.vault.samples import SampleEngine, bytes32, contract, flow, invoice, transaction

from interfirm.contracts.types import ContractRef
from interfirm.node.vault.archived import ArchivedRow
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.types import InboxItem, StoredContract, StoredTransaction
from interfirm.node.vault.vault import Vault

COUNT = 6
"""Transactions, of which each made two contracts."""


@pytest.fixture(params=sorted(BACK_ENDS))
def vault(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Vault]:
    engine = SampleEngine()
    kind = engine.id_of(type(invoice(1)))
    with (
        BACK_ENDS[request.param](tmp_path) as place,
        contextlib.closing(Vault.open(place, contracts_engine=engine)) as made,
    ):
        with made.turn() as turn:
            for n in range(1, COUNT + 1):
                turn.add_transaction(transaction(n, status="notarised", receipt=b"receipt", time_ms=n))
                for index in (0, 1):
                    by = bytes32("transaction", n)
                    made_here = contract(kind, invoice(10 * n + index), by=by, index=index, status="consumed",
                                         consumer=bytes32("end", n))  # fmt: skip
                    turn.add_contract(made_here)
        yield made


def listed(turn: Turn) -> tuple[list[ContractRef], int, list[int]]:
    """What lists and totals show, and the places of arrival."""
    rows = turn.select("Invoice", status=None, order_by="-number").rows
    return (
        [row.ref for row in rows], turn.total("Invoice", status=None).count,
        [each.number for each in turn.arrivals("Invoice", after=0)],
    )  # fmt: skip


def taken(turn: Turn, n: int) -> tuple[int, StoredTransaction, list[tuple[int, StoredContract]]]:
    found = turn.numbered_transaction(bytes32("transaction", n))
    assert found is not None
    number, stored = found
    made = turn.numbered_contracts(stored.id)
    turn.archive(stored.id, ArchivedRow(archive=7, time_ms=stored.time_ms))
    return number, stored, made


def test_what_was_archived_is_not_there_and_leaves_a_row(vault: Vault) -> None:
    with vault.turn() as turn:
        taken(turn, 2)
    with vault.read() as turn:
        name = bytes32("transaction", 2)
        assert (turn.transaction(name), turn.contracts_created_by(name)) == (None, [])
        assert turn.archived(name) == ArchivedRow(archive=7, time_ms=2)
        assert turn.accepted_ms(name) == 2
        assert turn.archived(bytes32("transaction", 1)) is None
        refs, count, numbers = listed(turn)
        assert (len(refs), count, len(numbers)) == (2 * COUNT - 2, 2 * COUNT - 2, 2 * COUNT - 2)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(1, COUNT)), count=st.integers(1, COUNT - 1), back=st.randoms())
def test_taking_out_and_putting_back_in_any_order_is_as_if_nothing_had_been(
    vault: Vault, order: list[int], count: int, back: object
) -> None:
    with vault.read() as turn:
        before = listed(turn), turn.numbered_transactions(after=0, limit=100)
    with vault.turn() as turn:
        out = [taken(turn, n) for n in order[:count]]
    back.shuffle(out)  # type: ignore[attr-defined]  # hypothesis gives a Random
    for number, stored, made in out:
        with vault.turn() as turn:
            turn.unarchive(number, stored, made)
    with vault.read() as turn:
        assert (listed(turn), turn.numbered_transactions(after=0, limit=100)) == before
        assert all(turn.archived(stored.id) is None for _, stored, _ in out)


def test_a_place_that_was_taken_meanwhile_is_not_taken_twice(vault: Vault) -> None:
    with vault.turn() as turn:
        number, stored, made = taken(turn, COUNT)
        last = turn.numbers.contract
        places = [(1, contract_) for _, contract_ in made]
        turn.unarchive(1, stored, places)
        assert (number, turn.numbers.transaction, turn.numbers.contract) == (COUNT, COUNT + 1, last + 2)
    with vault.read() as turn:
        numbers = [number for number, _ in turn.numbered_transactions(after=0, limit=100)]
        assert numbers == [1, 2, 3, 4, 5, COUNT + 1]
        assert turn.archived(stored.id) is None


def test_old_flows_and_questions_are_found_and_forgotten(vault: Vault) -> None:
    with vault.turn() as turn:
        for name, state, changed_ms in (("old", "done", 1), ("young", "done", 9), ("going", "running", 1)):
            turn.put_flow(flow(name).replace(state=state, changed_ms=changed_ms))
            turn.journal_append([(name, 0, b"entry")])
            decided = "approved" if state == "done" else "open"
            turn.put_inbox(InboxItem(id=name, flow="", kind="k", summary={}, created_ms=changed_ms, state=decided,
                                     reason=""))  # fmt: skip
    with vault.turn() as turn:
        assert turn.old_flows("done", before_ms=5, limit=10) == ["old"]
        assert turn.old_items(before_ms=5, limit=10) == ["old"]
        turn.remove_flow("old")
        turn.remove_item("old")
    with vault.read() as turn:
        assert sorted(each.id for each in turn.flows()) == ["going", "young"]
        assert (turn.journal("old"), turn.journal("going")) == ([], [b"entry"])
        assert [each.id for each in turn.inbox(state=None)] == ["going", "young"]
