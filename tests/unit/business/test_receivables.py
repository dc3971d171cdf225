"""Receivables: one holder, sums that add up, payment to whom the obligor was told, disputes, lateness, loss."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.business.ledger import refused
from tests.unit.business.scenario import (
    B_ACCOUNT,
    BANK,
    L2_ACCOUNT,
    L_ACCOUNT,
    S_ACCOUNT,
    B,
    K,
    L,
    Play,
    S,
    day,
    eur,
)

from interfirm.business.cash.contract import Cash
from interfirm.business.payments.contract import (
    Allocation,
    BankReport,
    Obligation,
    Payment,
    PaymentStatus,
    ReportKind,
)
from interfirm.business.receivables.ageing import ageing, bucket
from interfirm.business.receivables.contract import Receivable, Verification
from interfirm.contracts.language import Day, Rate, Ref

ON = day(10, 9)
FACE = "135141.87"
FALLBACK = day(1, 18, 2027)
"""Due 2026-11-19 and 60 days."""


class Sale(Play):
    """A receivable that S holds, or L after a sale with notice."""

    def held(self) -> Ref[Receivable]:
        right = self.to_acceptance().receivable
        assert right is not None
        return right

    def sold(self) -> Ref[Receivable]:
        assigned = self.ledger.exercise(self.held(), Receivable.assign, signed=[S, B, L], on=ON, to=L)
        return self.ledger.exercise(assigned, Receivable.notify, signed=[B, L], on=ON, account=L_ACCOUNT)

    def right(self, ref: Ref[Receivable] | None) -> Receivable:
        assert ref is not None
        return self.ledger.get(Receivable, ref)


@pytest.fixture
def sale() -> Sale:
    return Sale()


# who is owed ------------------------------------------------------------------------------------------------------


def test_a_sale_moves_the_holder_and_nothing_else(sale: Sale) -> None:
    before = sale.right(held := sale.held())
    after = sale.right(sale.ledger.exercise(held, Receivable.assign, signed=[S, B, L], on=ON, to=L))
    assert after == before.replace(holder=L)


def test_a_receivable_is_one_thing_with_one_holder(sale: Sale) -> None:
    held = sale.held()
    sale.ledger.exercise(held, Receivable.assign, signed=[S, B, L], on=ON, to=L)
    with refused("notary.consumed"):
        sale.ledger.exercise(held, Receivable.assign, signed=[S, B, K], on=ON, to=K)
    assert [one.holder for one in sale.ledger.active(Receivable)] == [L]


def test_nobody_is_made_the_holder_without_signing_and_the_obligor_confirms(sale: Sale) -> None:
    held = sale.held()
    with refused("ledger.authority"):
        sale.ledger.exercise(held, Receivable.assign, signed=[S, B], on=ON, to=L)
    with refused("ledger.confirmer"):
        sale.ledger.exercise(held, Receivable.assign, signed=[S, L], on=ON, to=L)


def test_a_receivable_is_not_made_without_its_obligor(sale: Sale) -> None:
    right = sale.right(sale.held())
    with refused("ledger.authority"):
        sale.ledger.create(right, signed=[S], on=ON)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"assignable": False}, "the receivable may not be assigned"),
        ({"outstanding": eur("0"), "written_off": eur(FACE)}, "nothing is outstanding"),
    ],
    ids=["not assignable", "empty"],
)
def test_what_cannot_be_sold_is_not_sold(sale: Sale, changes: dict[str, Any], reason: str) -> None:
    right = sale.right(sale.held()).replace(**changes)
    ref = sale.ledger.create(right, signed=[S, B], on=ON)
    with refused(reason):
        sale.ledger.exercise(ref, Receivable.assign, signed=[S, B, L], on=ON, to=L)


def test_a_receivable_is_not_sold_to_its_holder_or_its_obligor(sale: Sale) -> None:
    held = sale.held()
    with refused("a receivable is assigned to another party"):
        sale.ledger.exercise(held, Receivable.assign, signed=[S, B], on=ON, to=S)
    with refused("nobody owes itself"):
        sale.ledger.exercise(held, Receivable.assign, signed=[S, B], on=ON, to=B)


def test_the_holder_alone_suffices_once_the_obligor_is_long_silent(sale: Sale) -> None:
    sold = sale.sold()
    with refused("ledger.confirmer"):
        sale.ledger.exercise(sold, Receivable.write_off, signed=[L], on=FALLBACK.plus(-1), reason="insolvency")
    lost = sale.ledger.exercise(sold, Receivable.write_off, signed=[L], on=FALLBACK, reason="insolvency")
    right = sale.right(lost)
    assert (right.outstanding, right.written_off, right.face) == (eur("0"), eur(FACE), eur(FACE))


def test_recourse_gives_it_back_to_the_seller_in_a_new_round(sale: Sale) -> None:
    back = sale.right(
        sale.ledger.exercise(sale.sold(), Receivable.recourse, signed=[B, L, S], on=ON, to=S, account=S_ACCOUNT)
    )
    assert (back.holder, back.payee, back.round) == (S, S, 1)


def test_recourse_goes_to_the_seller_only(sale: Sale) -> None:
    with refused("recourse gives the right back to its seller"):
        sale.ledger.exercise(sale.sold(), Receivable.recourse, signed=[B, L, K], on=ON, to=K, account=S_ACCOUNT)


# payment ----------------------------------------------------------------------------------------------------------


def pay(sale: Sale, ref: Ref[Receivable], amount: str, on: Day = ON, **entry: Any) -> Ref[Receivable]:
    applied = eur(entry.pop("applied", amount))
    return sale.ledger.exercise(
        ref, Receivable.pay_down, signed=[B, L], on=on, entry=sale.entry(amount, on, **entry), amount=applied
    )


def test_a_payment_lowers_what_is_outstanding(sale: Sale) -> None:
    right = sale.right(pay(sale, sale.sold(), "100000.00"))
    assert (right.paid, right.outstanding, right.late_interest) == (eur("100000"), eur("35141.87"), eur("0"))


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"payer": K}, "the entry is of money paid by someone else"),
        ({"payee": S}, "the money went to another account"),
        ({"creditor_account": L2_ACCOUNT.digest}, "the money went to another account"),
        ({"applied": "100000.01"}, "the entry does not cover the amount"),
        ({"applied": "0.00"}, "an allocation is more than nothing"),
    ],
    ids=["payer", "payee", "account", "more than paid", "nothing"],
)
def test_a_payment_that_is_not_of_this_debt_is_refused(sale: Sale, entry: dict[str, Any], reason: str) -> None:
    entry = dict(entry)
    if entry.get("payee") == S:
        entry["creditor_account"] = S_ACCOUNT.digest
    with refused(reason):
        pay(sale, sale.sold(), "100000.00", **entry)


def test_money_paid_to_the_seller_on_the_lenders_account_number_is_not_payment_either(sale: Sale) -> None:
    sold = sale.sold()
    with refused("the entry is of money paid to someone else"):
        pay(sale, sold, "100000.00", payee=S)


def test_an_over_payment_becomes_the_payers_credit_and_pays_something_else(sale: Sale) -> None:
    paid = sale.right(pay(sale, sale.sold(), "135200.00", applied=FACE))
    assert paid.outstanding == eur("0")
    credit = sale.ledger.only(Payment)
    assert credit.unallocated() == eur("58.13")
    other = sale.ledger.create(
        paid.replace(
            invoice=paid.invoice.replace(number="INV-9"), face=eur("58.13"), outstanding=eur("58.13"), paid=eur("0"),
            received=(),
        ),
        signed=[B, L],
        on=ON,
    )  # fmt: skip
    (payment,) = sale.ledger.refs(Payment)
    right = sale.right(
        sale.ledger.exercise(other, Receivable.pay_from, signed=[B, L], on=ON, payment=payment, amount=eur("58.13"))
    )
    assert right.outstanding == eur("0")
    assert sale.ledger.only(Payment).unallocated() == eur("0")


def test_no_more_is_applied_than_is_outstanding(sale: Sale) -> None:
    with refused("no more is applied than is outstanding"):
        pay(sale, sale.sold(), "135141.88")


def test_one_transfer_pays_once(sale: Sale) -> None:
    paid = pay(sale, sale.sold(), "1000.00")
    with refused("notary.claim-taken"):
        pay(sale, paid, "1000.00")


def test_a_payment_needs_whom_it_was_paid_to(sale: Sale) -> None:
    sold = sale.sold()
    with refused("ledger.authority"):
        sale.ledger.exercise(
            sold, Receivable.pay_down, signed=[B], on=ON, entry=sale.entry("1.00", ON), amount=eur("1.00")
        )


def test_before_notice_payment_to_the_old_payee_discharges(sale: Sale) -> None:
    assigned = sale.ledger.exercise(sale.held(), Receivable.assign, signed=[S, B, L], on=ON, to=L)
    entry = sale.entry("1000.00", ON, payee=S, creditor_account=S_ACCOUNT.digest)
    arguments = {"entry": entry, "amount": eur("1000.00")}
    with refused("ledger.authority"):
        sale.ledger.exercise(assigned, Receivable.pay_down, signed=[B, L], on=ON, **arguments)
    right = sale.right(sale.ledger.exercise(assigned, Receivable.pay_down, signed=[B, L, S], on=ON, **arguments))
    assert right.paid == eur("1000.00")


def test_cash_pays_in_the_same_transaction(sale: Sale) -> None:
    sold = sale.sold()
    arguments = {"amount": eur(FACE), "end_to_end_id": "CASH-1", "on_": ON}
    with refused("this cash does not cover the amount"):
        sale.ledger.exercise(
            sold, Receivable.pay_in_cash, signed=[B, L], on=ON, cash=sale.cash(B, "1.00", ON), **arguments
        )
    paid = sale.ledger.exercise(
        sold, Receivable.pay_in_cash, signed=[B, L], on=ON, cash=sale.cash(B, "200000.00", ON), **arguments
    )
    assert sale.right(paid).outstanding == eur("0")
    assert [one.amount for one in sale.ledger.active(Cash) if one.owner == L] == [eur(FACE)]


def test_cash_of_someone_else_does_not_pay(sale: Sale) -> None:
    with refused("contract.authority-exercise"):
        sale.ledger.exercise(
            sale.sold(), Receivable.pay_in_cash, signed=[B, L, K], on=ON, cash=sale.cash(K, "200000.00", ON),
            amount=eur(FACE), end_to_end_id="CASH-1", on_=ON,
        )  # fmt: skip


def test_a_returned_payment_is_outstanding_again(sale: Sale) -> None:
    late = day(11, 24)
    paid = pay(sale, sale.sold(), FACE, late)
    said = BankReport(
        bank=BANK, payer=B, payee=L, amount=eur(FACE), end_to_end_id="E2E-1", kind=ReportKind.RETURNED, day=late
    )
    report = sale.ledger.create(said, signed=[BANK], on=late)
    (payment,) = sale.ledger.refs(Payment)
    bounced = sale.ledger.exercise(payment, Payment.bounce, signed=[B, L], on=late, report=report)
    right = sale.right(opened := sale.ledger.exercise(paid, Receivable.reopen, signed=[B, L], on=late, payment=bounced))
    assert (right.outstanding, right.paid, right.late_interest, right.received) == (eur(FACE), eur("0"), eur("0"), ())
    with refused("nothing was allocated to this debt"):
        sale.ledger.exercise(opened, Receivable.reopen, signed=[B, L], on=late, payment=sale.ledger.refs(Payment)[0])


def test_a_payment_that_stands_is_not_reopened(sale: Sale) -> None:
    paid = pay(sale, sale.sold(), FACE)
    with refused("the payment was not returned"):
        sale.ledger.exercise(paid, Receivable.reopen, signed=[B, L], on=ON, payment=sale.ledger.refs(Payment)[0])


def test_the_holders_word_counts_against_itself(sale: Sale) -> None:
    arguments = {"amount": eur("10.00"), "end_to_end_id": "X-1"}
    sold = sale.sold()
    with refused("ledger.authority"):
        sale.ledger.exercise(sold, Receivable.acknowledge, signed=[B, S], on=ON, booked=ON, **arguments)
    with refused("contract.not-before"):
        sale.ledger.exercise(sold, Receivable.acknowledge, signed=[B, L], on=ON, booked=ON.plus(1), **arguments)
    right = sale.right(sale.ledger.exercise(sold, Receivable.acknowledge, signed=[B, L], on=ON, booked=ON, **arguments))
    assert right.paid == eur("10.00")


# lateness ---------------------------------------------------------------------------------------------------------


def test_five_days_late_bear_187_90(sale: Sale) -> None:
    paid = pay(sale, sale.sold(), FACE, day(11, 24))
    assert sale.right(paid).late_interest == eur("187.90")
    sale.ledger.exercise(paid, Receivable.charge_late_interest, signed=[B, L], on=day(11, 25), due=day(12, 25))
    debt = sale.ledger.only(Obligation)
    assert (debt.obligor, debt.obligee, debt.face) == (B, L, eur("187.90"))
    with refused("no late-payment interest has accrued"):
        sale.ledger.exercise(
            sale.ledger.refs(Receivable)[0], Receivable.charge_late_interest, signed=[B, L], on=day(11, 25),
            due=day(12, 25),
        )  # fmt: skip


def test_late_interest_may_be_waived(sale: Sale) -> None:
    paid = pay(sale, sale.sold(), FACE, day(11, 24))
    waived = sale.ledger.exercise(paid, Receivable.waive_late_interest, signed=[B, L], on=day(11, 25))
    assert sale.right(waived).late_interest == eur("0")


def test_payment_on_the_due_day_is_not_late(sale: Sale) -> None:
    assert sale.right(pay(sale, sale.sold(), FACE, day(11, 19))).late_interest == eur("0")


# dispute, credit, discount ----------------------------------------------------------------------------------------


def test_a_part_is_disputed_by_the_obligor_from_a_day_on(sale: Sale) -> None:
    sold = sale.sold()
    arguments = {"amount": eur("1000.00"), "on_": ON}
    with refused("ledger.authority"):
        sale.ledger.exercise(sold, Receivable.dispute, signed=[L], on=ON, **arguments)
    with refused("contract.not-before"):
        sale.ledger.exercise(sold, Receivable.dispute, signed=[B, L], on=ON.plus(-1), **arguments)
    right = sale.right(disputed := sale.ledger.exercise(sold, Receivable.dispute, signed=[B, L], on=ON, **arguments))
    assert (right.disputed, right.disputed_since) == (eur("1000.00"), ON)
    right = sale.right(
        sale.ledger.exercise(disputed, Receivable.end_dispute, signed=[B, L], on=ON, amount=eur("1000.00"))
    )
    assert (right.disputed, right.disputed_since) == (eur("0"), None)


def test_no_more_is_disputed_than_is_outstanding(sale: Sale) -> None:
    with refused("no more is disputed than is outstanding"):
        sale.ledger.exercise(sale.sold(), Receivable.dispute, signed=[B, L], on=ON, amount=eur("135141.88"), on_=ON)


def test_paying_into_a_disputed_part_ends_the_dispute_over_it(sale: Sale) -> None:
    disputed = sale.ledger.exercise(
        sale.sold(), Receivable.dispute, signed=[B, L], on=ON, amount=eur("1000.00"), on_=ON
    )
    right = sale.right(pay(sale, disputed, "134641.87"))
    assert right.disputed == right.outstanding == eur("500.00")


def test_a_credit_needs_seller_and_holder(sale: Sale) -> None:
    sold = sale.sold()
    for signed in ([S, B], [L, B]):
        with refused("ledger.authority"):
            sale.ledger.exercise(sold, Receivable.reduce, signed=signed, on=ON, amount=eur("1.00"))
    right = sale.right(sale.ledger.exercise(sold, Receivable.reduce, signed=[S, L, B], on=ON, amount=eur("1.00")))
    assert (right.credited, right.outstanding) == (eur("1.00"), eur("135140.87"))


def test_a_discount_is_the_holders_to_give(sale: Sale) -> None:
    right = sale.right(
        sale.ledger.exercise(sale.sold(), Receivable.discount, signed=[L, B], on=ON, amount=eur("41.87"))
    )
    assert (right.discounted, right.outstanding) == (eur("41.87"), eur("135100.00"))


@pytest.mark.parametrize("choice", [Receivable.reduce, Receivable.discount])
@pytest.mark.parametrize("amount", ["0.00", "-5.00", "135141.88"])
def test_a_reduction_is_more_than_nothing_and_no_more_than_outstanding(sale: Sale, choice: Any, amount: str) -> None:
    with refused("contract.require"):
        sale.ledger.exercise(sale.sold(), choice, signed=[S, L, B], on=ON, amount=eur(amount))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"outstanding": eur("1.00")}, "outstanding is face less all reductions"),
        ({"face": eur("0")}, "a receivable is more than nothing"),
        ({"paid": eur("1.00"), "outstanding": eur("135140.87")}, "paid is the sum of the payments"),
        ({"disputed": eur("1.00")}, "a dispute has a first day"),
        ({"credited": eur("-1.00"), "outstanding": eur("135142.87")}, "no amount of a receivable is negative"),
        ({"seller": B}, "seller and obligor differ"),
        ({"recourse_days": -1}, "days and rounds are counted forward"),
    ],
    ids=["outstanding", "face", "paid", "disputed", "credited", "seller", "days"],
)
def test_a_receivable_whose_sums_are_wrong_is_refused(sale: Sale, changes: dict[str, Any], reason: str) -> None:
    right = sale.right(sale.held()).replace(**changes)
    with refused(reason):
        sale.ledger.create(right, signed=[S, B], on=ON)


def test_a_verification_is_the_obligors_word_and_its_to_withdraw(sale: Sale) -> None:
    word = sale.verify(sale.held())
    with refused("ledger.authority"):
        sale.ledger.exercise(word, Verification.withdraw, signed=[S], on=ON)
    sale.ledger.exercise(word, Verification.withdraw, signed=[B], on=ON)
    assert sale.ledger.active(Verification) == []


@pytest.mark.parametrize(
    ("choice", "arguments", "reason"),
    [
        (Receivable.dispute, {"amount": eur("0.00"), "on_": ON}, "a dispute is over more than nothing"),
        (Receivable.end_dispute, {"amount": eur("0.00")}, "a dispute is over more than nothing"),
        (Receivable.waive_late_interest, {}, "no late-payment interest has accrued"),
        (Receivable.write_off, {"reason": ""}, "a write-off has a reason"),
        (Receivable.reduce, {"amount": eur("135141.88")}, "no more is taken off than is outstanding"),
        (Receivable.acknowledge, {"amount": eur("0.00"), "end_to_end_id": "X", "booked": ON},
         "a payment is more than nothing"),
        (Receivable.acknowledge, {"amount": eur("1.00"), "end_to_end_id": "", "booked": ON},
         "a transfer is named by an EndToEndId of up to 35 characters"),
    ],
    ids=["dispute", "end", "waive", "write off", "reduce", "acknowledge nothing", "acknowledge unnamed"],
)  # fmt: skip
def test_a_choice_without_substance_is_refused(sale: Sale, choice: Any, arguments: dict[str, Any], reason: str) -> None:
    with refused(reason):
        sale.ledger.exercise(sale.sold(), choice, signed=[S, B, L], on=ON, **arguments)


def test_what_is_paid_is_not_written_off(sale: Sale) -> None:
    with refused("nothing is outstanding"):
        sale.ledger.exercise(
            pay(sale, sale.sold(), FACE), Receivable.write_off, signed=[B, L], on=ON, reason="insolvency"
        )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"disputed": eur("-1.00"), "disputed_since": ON}, "a dispute is over what is outstanding"),
        ({"disputed": eur("135141.88"), "disputed_since": ON}, "a dispute is over what is outstanding"),
        ({"late_interest": eur("-0.01")}, "interest is not negative"),
        ({"late_rate": Rate(-1)}, "interest is not negative"),
        ({"round": -1}, "days and rounds are counted forward"),
    ],
    ids=["negative", "too much", "interest", "rate", "round"],
)
def test_a_receivable_in_an_impossible_state_is_refused(sale: Sale, changes: dict[str, Any], reason: str) -> None:
    with refused(reason):
        sale.ledger.create(sale.right(sale.held()).replace(**changes), signed=[S, B], on=ON)


def credit_balance(sale: Sale, payer: Any, payee: Any) -> Ref[Payment]:
    payment = Payment(
        payer=payer, payee=payee, amount=eur("100.00"), end_to_end_id="OLD-1", status=PaymentStatus.SETTLED,
        settled_version=1, booked=ON,
    )  # fmt: skip
    return sale.ledger.create(payment, signed=[payer, payee], on=ON)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("payer", "payee", "reason"),
    [(B, S, "the payment went to someone else"), (K, L, "the payment came from someone else")],
    ids=["payee", "payer"],
)
def test_a_credit_balance_of_others_pays_nothing_here(sale: Sale, payer: Any, payee: Any, reason: str) -> None:
    sold = sale.sold()
    payment = credit_balance(sale, payer, payee)
    with refused(reason):
        sale.ledger.exercise(sold, Receivable.pay_from, signed=[S, B, L, K], on=ON, payment=payment, amount=eur("1.00"))


def test_cash_pays_on_the_day_it_says_and_by_name(sale: Sale) -> None:
    sold, cash = sale.sold(), sale.cash(B, "200.00", ON)
    for on, name, reason in (
        (ON.plus(1), "CASH-1", "contract.not-before"),
        (ON.plus(-1), "CASH-1", "contract.before"),
        (ON, "", "a transfer is named by an EndToEndId of up to 35 characters"),
    ):
        with refused(reason):
            sale.ledger.exercise(
                sold, Receivable.pay_in_cash, signed=[B, L], on=ON, cash=cash, amount=eur("1.00"),
                end_to_end_id=name, on_=on,
            )  # fmt: skip


def test_a_returned_payment_that_was_applied_elsewhere_reopens_nothing_here(sale: Sale) -> None:
    sold = sale.sold()
    elsewhere = Payment(
        payer=B, payee=L, amount=eur("5.00"), end_to_end_id="OTHER", status=PaymentStatus.RETURNED, booked=ON,
        settled_version=3, allocations=(Allocation(sale.right(sold).reference(), eur("5.00")),),
    )  # fmt: skip
    payment = sale.ledger.create(elsewhere, signed=[B, L], on=ON)
    with refused("the payment was not applied here"):
        sale.ledger.exercise(sold, Receivable.reopen, signed=[B, L], on=ON, payment=payment)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"holder": B}, "nobody owes itself"), ({"outstanding": eur("0.00")}, "there is something to verify")],
    ids=["itself", "nothing"],
)
def test_a_verification_is_about_a_debt_to_another(sale: Sale, changes: dict[str, Any], reason: str) -> None:
    with refused(reason):
        sale.verify(sale.held(), **changes)


# ageing -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("late", "column"),
    [
        (-5, "not_due"), (0, "not_due"), (1, "days_1_30"), (30, "days_1_30"), (31, "days_31_60"), (60, "days_31_60"),
        (61, "days_61_90"), (90, "days_61_90"), (91, "days_over_90"),
    ],
)  # fmt: skip
def test_each_number_of_days_late_has_its_column(late: int, column: str) -> None:
    assert bucket(ON, ON.plus(late)) == column


def test_the_ageing_of_11_20_shows_the_lender_as_holder(sale: Sale) -> None:
    (row,) = ageing([sale.right(sale.sold())], day(11, 20))
    assert (row.holder, row.obligor) == (L, B)
    assert row.days_1_30 == row.outstanding == eur(FACE)
    assert row.not_due == row.disputed == eur("0")


def test_a_disputed_part_has_a_column_of_its_own(sale: Sale) -> None:
    disputed = sale.ledger.exercise(
        sale.sold(), Receivable.dispute, signed=[B, L], on=ON, amount=eur("1000.00"), on_=ON
    )
    (row,) = ageing([sale.right(disputed)], day(11, 20))
    assert (row.days_1_30, row.disputed, row.outstanding) == (eur("134141.87"), eur("1000.00"), eur(FACE))


def test_what_is_paid_is_in_no_row(sale: Sale) -> None:
    assert ageing([sale.right(pay(sale, sale.sold(), FACE))], day(11, 24)) == ()


def test_accounts_are_told_apart_by_their_hash() -> None:
    assert len({one.digest for one in (S_ACCOUNT, L_ACCOUNT, L2_ACCOUNT, B_ACCOUNT)}) == 4
