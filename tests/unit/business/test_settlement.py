"""The settlement status follows from the receivable, whatever happened in whatever order."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.business.ledger import refused
from tests.unit.business.scenario import CN_1, INV_1, Play, S, day, eur, invoice_of

from interfirm.business.invoices.contract import Credit, Invoice
from interfirm.business.invoices.settlement import Settlement, is_overdue, settlement_of
from interfirm.business.receivables.contract import Receivable

FACE = eur("135141.87")
ZERO = eur("0")


@pytest.fixture(scope="module")
def right() -> Receivable:
    play = Play()
    return play.ledger.get(Receivable, play.to_acceptance().receivable)  # type: ignore[arg-type]  # there is one


@pytest.fixture(scope="module")
def invoice() -> Invoice:
    credits = (Credit(number=CN_1.number, amount=CN_1.totals.payable),)
    return invoice_of(INV_1, credits=credits, payable=FACE)


@pytest.mark.parametrize(
    ("changes", "settlement"),
    [
        ({}, Settlement.OPEN),
        ({"paid": eur("1"), "outstanding": FACE - eur("1")}, Settlement.PART_PAID),
        ({"paid": FACE, "outstanding": ZERO}, Settlement.PAID),
        ({"paid": FACE - eur("3"), "credited": eur("1"), "discounted": eur("2"), "outstanding": ZERO}, Settlement.PAID),
        ({"credited": FACE, "outstanding": ZERO}, Settlement.CREDITED),
        ({"paid": eur("1"), "written_off": FACE - eur("1"), "outstanding": ZERO}, Settlement.WRITTEN_OFF),
    ],
    ids=["open", "part", "paid", "paid, credited and discounted", "credited", "written off"],
)
def test_the_status_follows_from_the_amounts(
    invoice: Invoice, right: Receivable, changes: dict[str, Any], settlement: Settlement
) -> None:
    assert settlement_of(invoice, right.replace(**changes)) == settlement


def test_before_acceptance_it_is_not_accepted_or_credited_in_full(invoice: Invoice) -> None:
    assert settlement_of(invoice, None) == Settlement.NOT_ACCEPTED
    whole = invoice_of(INV_1, credits=(Credit(number="CN-2", amount=INV_1.totals.gross),), payable=ZERO)
    assert settlement_of(whole, None) == Settlement.CREDITED


def test_the_receivable_of_another_invoice_says_nothing(invoice: Invoice, right: Receivable) -> None:
    with refused("invoice.receivable"):
        settlement_of(invoice, right.replace(invoice=right.invoice.replace(number="INV-9")))
    with refused("invoice.receivable"):
        settlement_of(invoice.replace(seller=invoice.buyer, buyer=S), right)


def test_overdue_is_what_is_due_and_not_disputed(right: Receivable) -> None:
    assert not is_overdue(right, day(11, 19))
    assert is_overdue(right, day(11, 20))
    assert not is_overdue(right.replace(disputed=FACE), day(11, 20))
    assert not is_overdue(right.replace(outstanding=ZERO), day(11, 20))
