"""Payments: evidence of the bank, EndToEndIds that count once, credit balances that are never lost, plain debts."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.business.ledger import Ledger, party, refused
from tests.unit.business.scenario import BANK, B, L, Play, S, day, eur

from interfirm.business.cash.contract import Cash
from interfirm.business.payments.contract import (
    Allocation,
    BankEntry,
    BankReport,
    Method,
    Obligation,
    Payment,
    PaymentStatus,
    ReportKind,
)
from interfirm.contracts.language import Money, Ref

ON = day(11, 24)
STRANGER = party("stranger")


@pytest.fixture
def play() -> Play:
    return Play()


def instructed(play: Play, **changes: Any) -> Ref[Payment]:
    payment = Payment(payer=B, payee=L, amount=eur("100.00"), end_to_end_id="E2E-1").replace(**changes)
    return play.ledger.create(payment, signed=[B], on=ON)  # type: ignore[no-any-return]


def report(play: Play, kind: ReportKind, **changes: Any) -> Ref[BankReport]:
    said = BankReport(
        bank=BANK, payer=B, payee=L, amount=eur("100.00"), end_to_end_id="E2E-1", kind=kind, day=ON, reason="AC04"
    ).replace(**changes)
    return play.ledger.create(said, signed=[BANK], on=ON)  # type: ignore[no-any-return]


def settled(play: Play) -> Ref[Payment]:
    return play.ledger.exercise(instructed(play), Payment.settle, signed=[B, L], on=ON, entry=play.entry("100.00", ON))


def test_a_payment_goes_from_instruction_to_allocation(play: Play) -> None:
    ref = play.ledger.exercise(
        instructed(play), Payment.acknowledge, signed=[B], on=ON, report=report(play, ReportKind.PENDING)
    )
    assert play.ledger.get(Payment, ref).status == PaymentStatus.PENDING
    ref = play.ledger.exercise(ref, Payment.settle, signed=[B, L], on=ON, entry=play.entry("100.00", ON))
    assert play.ledger.get(Payment, ref).booked == ON
    ref = play.ledger.exercise(ref, Payment.allocate, signed=[B, L], on=ON, reference="INV-1", amount=eur("60.00"))
    assert play.ledger.get(Payment, ref).unallocated() == eur("40.00")


def test_the_payees_own_word_settles(play: Play) -> None:
    ref = play.ledger.exercise(instructed(play), Payment.confirm, signed=[B, L], on=ON, booked=ON)
    assert play.ledger.get(Payment, ref).status == PaymentStatus.SETTLED


def test_the_payer_cannot_say_that_it_paid(play: Play) -> None:
    ref = instructed(play)
    with refused("ledger.authority"):
        play.ledger.exercise(ref, Payment.confirm, signed=[B], on=ON, booked=ON)
    with refused("ledger.authority"):
        play.ledger.create(
            Payment(
                payer=B, payee=L, amount=eur("100.00"), end_to_end_id="E2E-1", status=PaymentStatus.SETTLED,
                settled_version=1, booked=ON,
            ),
            signed=[B],
            on=ON,
        )  # fmt: skip


def test_nothing_is_booked_in_the_future(play: Play) -> None:
    with refused("contract.not-before"):
        play.ledger.exercise(instructed(play), Payment.confirm, signed=[B, L], on=ON, booked=ON.plus(1))


@pytest.mark.parametrize(
    ("amount", "change"),
    [
        ("99.99", {}),
        ("100.00", {"end_to_end_id": "E2E-2"}),
        ("100.00", {"payer": STRANGER}),
        ("100.00", {"payee": S}),
    ],
    ids=["amount", "name", "payer", "payee"],
)
def test_an_entry_of_another_transfer_does_not_settle(play: Play, amount: str, change: dict[str, Any]) -> None:
    with refused("the entry is of another transfer"):
        play.ledger.exercise(
            instructed(play), Payment.settle, signed=[B, L], on=ON, entry=play.entry(amount, ON, **change)
        )


def test_an_entry_is_signed_by_the_bank(play: Play) -> None:
    with refused("ledger.authority"):
        play.ledger.create(play.ledger.get(BankEntry, play.entry("1.00", ON)).replace(bank=BANK), signed=[L, B], on=ON)


def test_an_end_to_end_id_counts_once_whoever_shows_it(play: Play) -> None:
    settled(play)
    again = instructed(play)
    with refused("notary.claim-taken"):
        play.ledger.exercise(again, Payment.confirm, signed=[B, L], on=ON, booked=ON)
    with refused("notary.claim-taken"):
        play.ledger.exercise(again, Payment.settle, signed=[B, L], on=ON, entry=play.entry("100.00", ON))


@pytest.mark.parametrize("name", ["", "NOTPROVIDED", "X" * 36])
def test_a_transfer_without_a_name_is_no_evidence(play: Play, name: str) -> None:
    with refused("a transfer is named by an EndToEndId of up to 35 characters"):
        play.entry("100.00", ON, end_to_end_id=name)


def test_a_rejected_payment_fails(play: Play) -> None:
    ref = play.ledger.exercise(
        instructed(play), Payment.fail, signed=[B], on=ON, report=report(play, ReportKind.REJECTED)
    )
    assert play.ledger.get(Payment, ref).reason == "AC04"
    with refused("the payment is not on its way"):
        play.ledger.exercise(ref, Payment.confirm, signed=[B, L], on=ON, booked=ON)


def test_a_report_of_another_kind_or_transfer_does_not_count(play: Play) -> None:
    ref = instructed(play)
    with refused("the bank reports something else"):
        play.ledger.exercise(ref, Payment.fail, signed=[B], on=ON, report=report(play, ReportKind.PENDING))
    with refused("the report is of another transfer"):
        play.ledger.exercise(
            ref, Payment.fail, signed=[B], on=ON, report=report(play, ReportKind.REJECTED, amount=eur("1.00"))
        )


def test_no_more_is_allocated_than_was_paid(play: Play) -> None:
    with refused("no more is allocated than was paid"):
        play.ledger.exercise(
            settled(play), Payment.allocate, signed=[B, L], on=ON, reference="INV-1", amount=eur("100.01")
        )


def test_the_payee_does_not_allocate_behind_the_payers_back(play: Play) -> None:
    with refused("ledger.confirmer"):
        play.ledger.exercise(settled(play), Payment.allocate, signed=[L], on=ON, reference="INV-1", amount=eur("10.00"))


def test_a_credit_balance_is_owed_back(play: Play) -> None:
    ref = play.ledger.exercise(
        settled(play), Payment.allocate, signed=[B, L], on=ON, reference="INV-1", amount=eur("60.00")
    )
    play.ledger.exercise(ref, Payment.refund, signed=[B, L], on=ON, due=ON)
    debt = play.ledger.only(Obligation)
    assert (debt.obligor, debt.obligee, debt.face) == (L, B, eur("40.00"))
    with refused("there is no credit balance"):
        play.ledger.exercise(play.ledger.refs(Payment)[0], Payment.refund, signed=[B, L], on=ON, due=ON)


def test_a_returned_payment_is_taken_off_its_debts_once(play: Play) -> None:
    ref = play.ledger.exercise(
        settled(play), Payment.allocate, signed=[B, L], on=ON, reference="INV-1", amount=eur("60.00")
    )
    ref = play.ledger.exercise(ref, Payment.bounce, signed=[B, L], on=ON, report=report(play, ReportKind.RETURNED))
    assert play.ledger.exercise(ref, Payment.release, signed=[B, L], on=ON, reference="INV-1") == eur("60.00")
    with refused("nothing was allocated to this debt"):
        play.ledger.exercise(play.ledger.refs(Payment)[0], Payment.release, signed=[B, L], on=ON, reference="INV-1")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": eur("0.00")}, "an entry is more than nothing"),
        ({"payee": B}, "payer and payee differ"),
    ],
    ids=["nothing", "to itself"],
)
def test_an_entry_that_moves_nothing_is_refused(play: Play, changes: dict[str, Any], reason: str) -> None:
    entry = play.ledger.get(BankEntry, play.entry("1.00", ON))
    with refused(reason):
        play.ledger.create(entry.replace(**changes), signed=[BANK], on=ON)


def test_a_report_names_its_transfer(play: Play) -> None:
    with refused("a transfer is named by an EndToEndId of up to 35 characters"):
        report(play, ReportKind.PENDING, end_to_end_id="")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": eur("0.00")}, "a payment is more than nothing"),
        ({"payee": B}, "payer and payee differ"),
        ({"end_to_end_id": "NOTPROVIDED"}, "a transfer is named by an EndToEndId of up to 35 characters"),
        ({"settled_version": 1}, "only a settled payment has settled versions"),
        ({"booked": ON}, "a settled payment has a booking day"),
        ({"allocations": (Allocation("INV-1", eur("1.00")),)}, "only a settled payment is allocated"),
    ],
    ids=["nothing", "to itself", "name", "version", "booked", "allocated"],
)
def test_a_malformed_payment_is_refused(play: Play, changes: dict[str, Any], reason: str) -> None:
    payment = Payment(payer=B, payee=L, amount=eur("100.00"), end_to_end_id="E2E-1").replace(**changes)
    with refused(reason):
        play.ledger.create(payment, signed=[B, L], on=ON)


@pytest.mark.parametrize(
    ("status", "kind"),
    [("settled", ReportKind.RETURNED), ("instructed", ReportKind.PENDING)],
    ids=["bounce", "take up"],
)
def test_a_report_of_another_amount_changes_nothing(play: Play, status: str, kind: ReportKind) -> None:
    other = report(play, kind, amount=eur("99.99"))
    with refused("the report is of another transfer"):
        if status == "settled":
            play.ledger.exercise(settled(play), Payment.bounce, signed=[B, L], on=ON, report=other)
        else:
            play.ledger.exercise(instructed(play), Payment.acknowledge, signed=[B], on=ON, report=other)


def test_only_what_is_settled_is_allocated_refunded_or_bounced(play: Play) -> None:
    ref = instructed(play)
    for choice, arguments in (
        (Payment.allocate, {"reference": "INV-1", "amount": eur("1.00")}),
        (Payment.refund, {"due": ON}),
        (Payment.bounce, {"report": report(play, ReportKind.RETURNED)}),
    ):
        with refused("the payment is not settled"):
            play.ledger.exercise(ref, choice, signed=[B, L], on=ON, **arguments)


def test_a_payment_is_taken_up_once(play: Play) -> None:
    pending = report(play, ReportKind.PENDING)
    ref = play.ledger.exercise(instructed(play), Payment.acknowledge, signed=[B], on=ON, report=pending)
    with refused("the payment was not just instructed"):
        play.ledger.exercise(ref, Payment.acknowledge, signed=[B], on=ON, report=pending)


def test_what_arrived_is_not_settled_again(play: Play) -> None:
    entry = play.entry("100.00", ON, end_to_end_id="E2E-1")
    with refused("the payment is not on its way"):
        play.ledger.exercise(settled(play), Payment.settle, signed=[B, L], on=ON, entry=entry)


def test_what_arrived_does_not_fail(play: Play) -> None:
    with refused("the payment is not on its way"):
        play.ledger.exercise(
            settled(play), Payment.fail, signed=[B, L], on=ON, report=report(play, ReportKind.REJECTED)
        )


def test_only_a_returned_payment_is_released(play: Play) -> None:
    with refused("the payment was not returned"):
        play.ledger.exercise(settled(play), Payment.release, signed=[B, L], on=ON, reference="INV-1")


# plain debts ----------------------------------------------------------------------------------------------------------


def debt(play: Play, **changes: Any) -> Ref[Obligation]:
    owed = Obligation(obligor=B, obligee=L, face=eur("100.00"), due=ON, reason="dilution", reference="INV-1").replace(
        **changes
    )
    return play.ledger.create(owed, signed=[B, L], on=ON)  # type: ignore[no-any-return]


def sent(play: Play, ref: Ref[Obligation], amount: str, name: str = "E2E-1") -> Ref[Obligation]:
    return play.ledger.exercise(ref, Obligation.instruct, signed=[B, L], on=ON, end_to_end_id=name, amount=eur(amount))


def test_a_debt_binds_nobody_who_has_not_signed() -> None:
    with refused("ledger.authority"):
        Ledger().create(
            Obligation(obligor=B, obligee=L, face=eur("1.00"), due=ON, reason="r", reference="x"), signed=[L], on=ON
        )


def test_a_debt_is_paid_by_bank_in_parts(play: Play) -> None:
    ref = sent(play, debt(play), "40.00")
    assert play.ledger.get(Obligation, ref).outstanding() == eur("100.00")
    ref = play.ledger.exercise(ref, Obligation.settle, signed=[B, L], on=ON, entry=play.entry("40.00", ON))
    assert play.ledger.get(Obligation, ref).outstanding() == eur("60.00")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"face": eur("0.00")}, "a debt is more than nothing"),
        ({"obligee": B}, "obligor and obligee differ"),
    ],
    ids=["nothing", "to itself"],
)
def test_a_debt_of_nothing_or_to_oneself_is_refused(play: Play, changes: dict[str, Any], reason: str) -> None:
    with refused(reason):
        debt(play, **changes)


@pytest.mark.parametrize(
    ("amount", "name", "reason"),
    [
        ("0.00", "E2E-2", "a payment is more than nothing"),
        ("1.00", "E2E-1", "the EndToEndId is used already"),
        ("1.00", "", "a transfer is named by an EndToEndId of up to 35 characters"),
    ],
)
def test_a_payment_towards_a_debt_has_an_amount_and_a_name(play: Play, amount: str, name: str, reason: str) -> None:
    ref = sent(play, debt(play), "40.00")
    with refused(reason):
        sent(play, ref, amount, name)


def test_a_report_on_other_parties_or_of_another_kind_fails_no_payment(play: Play) -> None:
    ref = sent(play, debt(play), "60.00")
    with refused("the bank reports something else"):
        play.ledger.exercise(
            ref, Obligation.fail, signed=[B, L], on=ON, report=report(play, ReportKind.PENDING, amount=eur("60.00"))
        )
    with refused("the report is of another transfer"):
        play.ledger.exercise(
            ref, Obligation.fail, signed=[B, L], on=ON,
            report=report(play, ReportKind.REJECTED, payee=S, amount=eur("60.00")),
        )  # fmt: skip
    with refused("the report is of another transfer"):
        play.ledger.exercise(
            ref, Obligation.fail, signed=[B, L], on=ON, report=report(play, ReportKind.REJECTED, amount=eur("59.00"))
        )


def test_cash_pays_a_debt_on_the_day_it_says(play: Play) -> None:
    ref = debt(play, method=Method.CASH)
    for wrong in (ON.plus(1), ON.plus(-1)):
        with refused("contract.not-before" if wrong > ON else "contract.before"):
            play.ledger.exercise(
                ref, Obligation.pay, signed=[B, L], on=ON, cash=play.cash(B, "50.00", ON), amount=eur("1.00"),
                on_=wrong,
            )  # fmt: skip


def test_a_debt_is_not_over_paid(play: Play) -> None:
    ref = sent(play, debt(play), "60.00")
    with refused("the debt would be over-paid"):
        sent(play, ref, "40.01", "E2E-2")


def test_a_failed_payment_frees_its_part_of_the_debt(play: Play) -> None:
    ref = sent(play, debt(play), "60.00")
    ref = play.ledger.exercise(
        ref, Obligation.fail, signed=[B, L], on=ON, report=report(play, ReportKind.REJECTED, amount=eur("60.00"))
    )
    ref = sent(play, ref, "100.00", "E2E-2")
    assert play.ledger.get(Obligation, ref).uncovered() == eur("0.00")


def test_a_debt_is_settled_by_the_amount_instructed_only(play: Play) -> None:
    ref = sent(play, debt(play), "40.00")
    with refused("another amount was instructed"):
        play.ledger.exercise(ref, Obligation.settle, signed=[B, L], on=ON, entry=play.entry("41.00", ON))
    with refused("there is no such pending payment"):
        play.ledger.exercise(
            ref, Obligation.settle, signed=[B, L], on=ON, entry=play.entry("40.00", ON, end_to_end_id="E2E-9")
        )


def test_the_obligor_does_not_settle_its_own_debt(play: Play) -> None:
    ref = sent(play, debt(play), "40.00")
    with refused("ledger.authority"):
        play.ledger.exercise(ref, Obligation.settle, signed=[B, S], on=ON, entry=play.entry("40.00", ON))


def test_the_way_to_pay_is_fixed_by_the_first_payment(play: Play) -> None:
    ref = play.ledger.exercise(debt(play), Obligation.change_method, signed=[B, L], on=ON, method=Method.CASH)
    cash = play.cash(B, "50.00", ON)
    ref = play.ledger.exercise(ref, Obligation.pay, signed=[B, L], on=ON, cash=cash, amount=eur("30.00"), on_=ON)
    assert play.ledger.get(Obligation, ref).outstanding() == eur("70.00")
    assert [one.amount for one in play.ledger.active(Cash) if one.owner == L] == [eur("30.00")]
    with refused("the way to pay is fixed by the first payment"):
        play.ledger.exercise(ref, Obligation.change_method, signed=[B, L], on=ON, method=Method.BANK)


def test_a_debt_is_paid_the_agreed_way_only(play: Play) -> None:
    with refused("the debt is paid another way"):
        play.ledger.exercise(
            debt(play), Obligation.pay, signed=[B, L], on=ON, cash=play.cash(B, "50.00", ON), amount=eur("1.00"),
            on_=ON,
        )  # fmt: skip
    with refused("the debt is paid another way"):
        sent(play, debt(play, method=Method.CASH), "1.00")


def test_a_debt_is_novated_by_amount_currency_day_and_party(play: Play) -> None:
    ref = play.ledger.exercise(debt(play), Obligation.novate_face, signed=[B, L], on=ON, face=Money(9000, "USD"))
    ref = play.ledger.exercise(ref, Obligation.novate_due, signed=[B, L], on=ON, due=ON.plus(30))
    ref = play.ledger.exercise(ref, Obligation.novate_obligee, signed=[B, L, S], on=ON, to=S)
    ref = play.ledger.exercise(ref, Obligation.novate_obligor, signed=[B, L, S], on=ON, to=L)
    owed = play.ledger.get(Obligation, ref)
    assert (owed.obligor, owed.obligee, owed.face, owed.due) == (L, S, Money(9000, "USD"), ON.plus(30))


def test_a_debt_is_not_novated_to_a_party_that_has_not_signed(play: Play) -> None:
    with refused("ledger.authority"):
        play.ledger.exercise(debt(play), Obligation.novate_obligor, signed=[B, L], on=ON, to=S)


def test_a_debt_is_not_novated_below_what_was_paid_nor_while_a_payment_is_on_its_way(play: Play) -> None:
    ref = sent(play, debt(play), "40.00")
    with refused("the debt would be over-paid"):
        play.ledger.exercise(ref, Obligation.novate_face, signed=[B, L], on=ON, face=eur("39.99"))
    for choice in (Obligation.novate_obligor, Obligation.novate_obligee):
        with refused("a payment is on its way"):
            play.ledger.exercise(ref, choice, signed=[B, L, S], on=ON, to=S)
