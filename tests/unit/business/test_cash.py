"""Cash: moved by its owner, kept in sum, ended only with its issuer."""

from __future__ import annotations

import pytest
from tests.unit.business.ledger import Ledger, refused
from tests.unit.business.scenario import BANK, B, L, S, day, eur

from interfirm.business.cash.contract import Cash, Redemption
from interfirm.contracts.language import Hash, Money, Ref

ON = day(10, 1)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


def issued(ledger: Ledger, amount: str = "100.00", owner: object = L) -> Ref[Cash]:
    return ledger.create(Cash(issuer=BANK, owner=owner, amount=eur(amount)), signed=[BANK], on=ON)  # type: ignore[arg-type, no-any-return]  # a party


def amounts(ledger: Ledger, owner: object) -> list[str]:
    return sorted(str(one.amount) for one in ledger.active(Cash) if one.owner == owner)


def test_cash_moves_by_the_owners_signature_alone_and_gives_change(ledger: Ledger) -> None:
    moved = ledger.exercise(issued(ledger), Cash.move, signed=[L], on=ON, to=S, amount=eur("30.00"))
    assert amounts(ledger, S) == ["30.00"]
    assert amounts(ledger, L) == ["70.00"]
    assert moved.change is not None


def test_an_exact_payment_leaves_no_change(ledger: Ledger) -> None:
    moved = ledger.exercise(issued(ledger), Cash.move, signed=[L], on=ON, to=S, amount=eur("100.00"))
    assert moved.change is None
    assert amounts(ledger, L) == []


def test_cash_is_issued_by_its_issuer_only(ledger: Ledger) -> None:
    with refused("ledger.authority"):
        ledger.create(Cash(issuer=BANK, owner=L, amount=eur("1.00")), signed=[L], on=ON)


def test_nobody_moves_anothers_cash(ledger: Ledger) -> None:
    with refused("ledger.authority"):
        ledger.exercise(issued(ledger), Cash.move, signed=[S, BANK], on=ON, to=S, amount=eur("30.00"))


def test_cash_moved_once_cannot_be_moved_again(ledger: Ledger) -> None:
    cash = issued(ledger)
    ledger.exercise(cash, Cash.move, signed=[L], on=ON, to=S, amount=eur("30.00"))
    with refused("notary.consumed"):
        ledger.exercise(cash, Cash.move, signed=[L], on=ON, to=B, amount=eur("30.00"))


@pytest.mark.parametrize(
    ("amount", "reason"),
    [
        (eur("100.01"), "this cash does not cover the amount"),
        (eur("0.00"), "an amount to pay is more than nothing"),
        (eur("-1.00"), "an amount to pay is more than nothing"),
        (Money(100, "USD"), "amounts of two currencies"),
    ],
)
def test_a_wrong_amount_is_refused(ledger: Ledger, amount: Money, reason: str) -> None:
    with refused(reason):
        ledger.exercise(issued(ledger), Cash.move, signed=[L], on=ON, to=S, amount=amount)


def test_cash_does_not_move_to_its_owner(ledger: Ledger) -> None:
    with refused("cash moves to another party"):
        ledger.exercise(issued(ledger), Cash.move, signed=[L], on=ON, to=L, amount=eur("1.00"))


def test_empty_cash_is_refused(ledger: Ledger) -> None:
    with refused("cash is more than nothing"):
        issued(ledger, "0.00")


def test_cash_is_divided_into_parts_of_the_same_sum(ledger: Ledger) -> None:
    parts = (eur("60.00"), eur("40.00"))
    assert len(ledger.exercise(issued(ledger), Cash.divide, signed=[L], on=ON, amounts=parts)) == 2
    assert amounts(ledger, L) == ["40.00", "60.00"]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((eur("60.00"), eur("41.00")), "the parts add up to the whole"),
        ((eur("100.00"),), "cash is divided into two or more"),
        ((eur("101.00"), eur("-1.00")), "cash is more than nothing"),
    ],
)
def test_cash_divided_wrongly_is_refused(ledger: Ledger, parts: tuple[Money, ...], reason: str) -> None:
    with refused(reason):
        ledger.exercise(issued(ledger), Cash.divide, signed=[L], on=ON, amounts=parts)


def test_cash_is_merged(ledger: Ledger) -> None:
    others = (issued(ledger, "20.00"), issued(ledger, "3.00"))
    ledger.exercise(issued(ledger), Cash.merge, signed=[L], on=ON, others=others)
    assert amounts(ledger, L) == ["123.00"]


def test_anothers_cash_is_not_merged(ledger: Ledger) -> None:
    with refused("contract.authority-exercise"):
        ledger.exercise(issued(ledger), Cash.merge, signed=[L, S], on=ON, others=(issued(ledger, "20.00", S),))


def test_cash_of_another_issuer_is_not_merged(ledger: Ledger) -> None:
    other = ledger.create(Cash(issuer=B, owner=L, amount=eur("20.00")), signed=[B], on=ON)
    with refused("contract.authority-exercise"):
        ledger.exercise(issued(ledger), Cash.merge, signed=[L, B, BANK], on=ON, others=(other,))


def test_cash_is_not_merged_with_itself(ledger: Ledger) -> None:
    cash = issued(ledger)
    with refused("contract.consumed"):
        ledger.exercise(cash, Cash.merge, signed=[L], on=ON, others=(cash,))


def test_redeeming_ends_cash_and_leaves_a_record(ledger: Ledger) -> None:
    account = Hash(bytes(32))
    ledger.exercise(issued(ledger), Cash.redeem, signed=[L, BANK], on=ON, account=account, end_to_end_id="PAYOUT-1")
    assert amounts(ledger, L) == []
    assert ledger.only(Redemption).amount == eur("100.00")


@pytest.mark.parametrize("choice", [Cash.redeem, Cash.retire])
def test_cash_does_not_end_without_its_issuer(ledger: Ledger, choice: object) -> None:
    arguments = {"account": Hash(bytes(32)), "end_to_end_id": "PAYOUT-1"} if choice is Cash.redeem else {}
    with refused("ledger.authority"):
        ledger.exercise(issued(ledger), choice, signed=[L], on=ON, **arguments)  # type: ignore[arg-type]  # either choice


def test_a_merger_is_with_other_cash(ledger: Ledger) -> None:
    with refused("there is other cash to merge with"):
        ledger.exercise(issued(ledger), Cash.merge, signed=[L], on=ON, others=())


def test_a_payout_is_named(ledger: Ledger) -> None:
    account = Hash(bytes(32))
    with refused("a transfer has an EndToEndId"):
        ledger.exercise(issued(ledger), Cash.redeem, signed=[L, BANK], on=ON, account=account, end_to_end_id="")
