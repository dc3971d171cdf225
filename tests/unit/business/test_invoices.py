"""Invoices: numbers taken once, EN 16931 arithmetic, answers in order, credits, disputes, standing acceptance."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.business.ledger import refused
from tests.unit.business.scenario import (
    CN_1,
    INV_1,
    L_ACCOUNT,
    LINES,
    VAT,
    B,
    K,
    L,
    Play,
    S,
    day,
    document,
    eur,
    invoice_of,
    line,
)

from interfirm.business.agreements.contract import Agreement
from interfirm.business.invoices.answers import Action, InvoiceStatus, Reason
from interfirm.business.invoices.contract import AutoAcceptance, Credit, Dispute, DisputeStatus, Invoice
from interfirm.business.invoices.credit_note import CreditNote
from interfirm.business.invoices.document import AllowanceCharge, Document, require_document
from interfirm.business.invoices.measures import working_days_after
from interfirm.business.payments.contract import Obligation
from interfirm.business.receivables.contract import Receivable
from interfirm.contracts.language import Hash, Quantity, Rate, Ref, UnitPrice

ON = day(10, 8)


class Billing(Play):
    """Invoices in every status."""

    def do(self, ref: Ref[Invoice], choice: Any, *signed: Any, **arguments: Any) -> Any:
        return self.ledger.exercise(ref, choice, signed=signed or (S, B), on=ON, **arguments)

    def status(self, ref: Ref[Invoice]) -> InvoiceStatus:
        return self.ledger.get(Invoice, ref).status

    def queried(self) -> Ref[Invoice]:
        return self.do(self.issue(), Invoice.query, reason=Reason.QUALITY, action=Action.NONE, note=None)  # type: ignore[no-any-return]

    def credit(self, ref: Ref[Invoice], note: Document = CN_1, *signed: Any, **more: Any) -> Any:
        arguments = {"note": note, "exact": True, "receivable": None, "holder": None} | more
        return self.do(ref, Invoice.credit, *signed, **arguments)


@pytest.fixture
def play() -> Billing:
    return Billing()


def note_of(net: str, number: str = "CN-9", **changes: Any) -> Document:
    """A credit note on INV-2026-0001 of a net amount."""
    return document(
        number, (line("1", "B200", 1, net, net),), issued=ON, kind="381", preceding="INV-2026-0001"
    ).replace(**changes)


# issue ------------------------------------------------------------------------------------------------------------


def test_an_invoice_is_issued_by_its_seller_alone(play: Billing) -> None:
    with refused("ledger.authority"):
        play.ledger.create(invoice_of(INV_1), signed=[B], on=ON)
    assert play.status(play.issue()) == InvoiceStatus.ISSUED


def test_a_number_is_used_once_a_year(play: Billing) -> None:
    play.issue()
    with refused("notary.claim-taken"):
        play.issue(INV_1.replace(order="PO-2"))
    play.issue(INV_1.replace(issued=day(1, 5, 2027), due=day(2, 19, 2027)))


def test_a_credit_note_does_not_reuse_an_invoices_number(play: Billing) -> None:
    with refused("notary.claim-taken"):
        play.credit(play.issue(), CN_1.replace(number="INV-2026-0001"))


@pytest.mark.parametrize(
    ("total", "rule"),
    [
        ("lines", "BR-CO-10: the lines' sum"),
        ("allowances", "BR-CO-11: the allowances' sum"),
        ("charges", "BR-CO-12: the charges' sum"),
        ("net", "BR-CO-13: the total without tax"),
        ("tax", "BR-CO-14: the tax's sum"),
        ("gross", "BR-CO-15: the total with tax"),
        ("payable", "BR-CO-16: what is payable"),
        ("prepaid", "BR-CO-16: what is payable"),
        ("rounding", "BR-CO-16: what is payable"),
    ],
)
def test_a_total_that_is_off_by_a_cent_breaks_its_rule(total: str, rule: str) -> None:
    totals = INV_1.totals.replace(**{total: getattr(INV_1.totals, total) + eur("0.01")})
    for exact in (True, False):
        with refused(rule):
            require_document(INV_1.replace(totals=totals), exact)


def shifted(cents: str) -> Document:
    """INV_1 with another tax, and the totals that follow from it."""
    tax = INV_1.totals.tax + eur(cents)
    gross = INV_1.totals.net + tax
    group = INV_1.groups[0].replace(tax=tax)
    return INV_1.replace(groups=(group,), totals=INV_1.totals.replace(tax=tax, gross=gross, payable=gross))


def test_tax_is_exact_when_made_here_and_within_one_unit_when_imported() -> None:
    with refused("BR-CO-17: the tax"):
        require_document(shifted("0.01"), True)
    require_document(shifted("0.99"), False)
    with refused("BR-CO-17: the tax"):
        require_document(shifted("1.00"), False)


def test_a_line_is_quantity_times_price_when_made_here() -> None:
    odd = LINES[0].replace(price=UnitPrice.of(eur("62.51")))
    with refused("R120: the line's amount"):
        require_document(INV_1.replace(lines=(odd, LINES[1])), True)
    require_document(INV_1.replace(lines=(odd, LINES[1])), False)


def test_a_line_price_may_be_for_a_base_quantity() -> None:
    each = LINES[0].replace(price=UnitPrice.of(eur("6250.00")), base_quantity=Quantity(1000, 1, "C62"))
    require_document(INV_1.replace(lines=(each, LINES[1])), True)


def test_a_line_has_allowances_and_charges_of_its_own() -> None:
    off = AllowanceCharge(charge=False, amount=eur("100.00"), reason="Discount", category="S", rate=VAT)
    on = off.replace(charge=True, amount=eur("30.00"), reason="Packing")
    dearer = LINES[0].replace(price=UnitPrice.of(eur("62.57")), allowances=(off, on))
    require_document(INV_1.replace(lines=(dearer, LINES[1])), True)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"price": UnitPrice.of(eur("-1.00"))}, "BR-27: a price is not negative"),
        ({"base_quantity": Quantity(0, 0, "C62")}, "a price is for more than nothing"),
    ],
    ids=["price", "base"],
)
def test_a_line_is_priced_sensibly(changes: dict[str, Any], reason: str) -> None:
    with refused(reason):
        require_document(INV_1.replace(lines=(LINES[0].replace(**changes), LINES[1])), True)


def test_a_document_allowance_lowers_what_is_taxed() -> None:
    less = document("INV-5", LINES, issued=ON, due=day(11, 19), freight="-250.00")
    part = less.allowances[0].replace(charge=False, amount=eur("250.00"))
    totals = less.totals.replace(charges=eur("0.00"), allowances=eur("250.00"))
    require_document(less.replace(allowances=(part,), totals=totals), True)


def test_what_is_taxed_is_what_the_lines_say() -> None:
    other = INV_1.groups[0].replace(rate=Rate(200_000))
    with refused("BR-S-08: what is taxed"):
        require_document(INV_1.replace(groups=(other,)), False)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"number": ""}, "BR-02: a document has a number"),
        ({"lines": ()}, "BR-16: a document has a line"),
        ({"groups": ()}, "BR-CO-18: a document has a tax group"),
        ({"due": None}, "BR-CO-25: what is payable has a due date or terms of payment"),
        ({"currency": "USD"}, "a document has one currency"),
    ],
    ids=["number", "lines", "groups", "due", "currency"],
)
def test_a_document_that_lacks_something_is_refused(changes: dict[str, Any], reason: str) -> None:
    with refused(reason):
        require_document(INV_1.replace(**changes), False)


def test_a_credit_note_needs_no_due_date() -> None:
    require_document(CN_1, True)
    assert CN_1.due is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"payable": eur("1.00")}, "payable is what was not credited"),
        ({"number": "INV-9"}, "the number is the document's"),
        ({"due": day(11, 20)}, "the due day is the document's"),
        ({"buyer": S}, "seller and buyer differ"),
        ({"account": L_ACCOUNT}, "the account is the document's"),
        ({"status": InvoiceStatus.ACCEPTED}, "an invoice begins with its issue"),
        ({"document": CN_1, "number": "CN-2026-0001"}, "a credit note is no invoice"),
    ],
    ids=["payable", "number", "due", "buyer", "account", "status", "kind"],
)
def test_an_invoice_that_does_not_agree_with_its_document_is_refused(
    play: Billing, changes: dict[str, Any], reason: str
) -> None:
    with refused(reason):
        play.ledger.create(invoice_of(INV_1).replace(**changes), signed=[S, B], on=ON)


def test_an_invoice_with_wrong_totals_is_not_issued(play: Billing) -> None:
    wrong = INV_1.replace(totals=INV_1.totals.replace(payable=eur("136124.00")))
    with refused("BR-CO-16: what is payable"):
        play.issue(wrong)


def test_a_credit_note_with_wrong_totals_is_not_given(play: Billing) -> None:
    wrong = CN_1.replace(totals=CN_1.totals.replace(net=eur("812.49")))
    with refused("BR-CO-13: the total without tax"):
        play.credit(play.issue(), wrong)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"version": 0}, "counts are not negative"),
        ({"recourse_days": -1}, "counts are not negative"),
        ({"silence_days": -1}, "counts are not negative"),
        ({"late_rate": Rate(-1)}, "interest is not negative"),
        ({"credits": (Credit("CN-1", eur("136125.01")),), "version": 2, "payable": eur("0.00")},
         "no more is credited than invoiced"),
    ],
    ids=["version", "recourse", "silence", "late rate", "credited"],
)  # fmt: skip
def test_a_malformed_invoice_is_refused(play: Billing, changes: dict[str, Any], reason: str) -> None:
    with refused(reason):
        play.ledger.create(invoice_of(INV_1).replace(**changes), signed=[S, B], on=ON)


def test_an_invoice_with_a_negative_amount_to_pay_is_refused(play: Billing) -> None:
    totals = INV_1.totals.replace(prepaid=eur("136126.00"), payable=eur("-1.00"))
    with refused("BT-115 is not negative"):
        play.issue(INV_1.replace(totals=totals))


# answers ----------------------------------------------------------------------------------------------------------


def test_answers_go_forward_and_may_skip(play: Billing) -> None:
    ref = play.do(play.issue(), Invoice.respond, status=InvoiceStatus.IN_PROCESS)
    assert play.status(ref) == InvoiceStatus.IN_PROCESS
    with refused("answers go forward only"):
        play.do(ref, Invoice.respond, status=InvoiceStatus.RECEIVED)


@pytest.mark.parametrize("status", [InvoiceStatus.ACCEPTED, InvoiceStatus.REJECTED, InvoiceStatus.WRITTEN_OFF])
def test_an_answer_of_another_kind_is_not_a_response(play: Billing, status: InvoiceStatus) -> None:
    with refused("this is an answer of another kind"):
        play.do(play.issue(), Invoice.respond, status=status)


def test_the_seller_does_not_answer_for_the_buyer(play: Billing) -> None:
    ref = play.issue()
    with refused("ledger.authority"):
        play.do(ref, Invoice.respond, S, status=InvoiceStatus.RECEIVED)
    with refused("ledger.authority"):
        play.do(ref, Invoice.accept, S, set_off_waived=False)


def test_a_queried_invoice_is_answered_before_it_is_accepted(play: Billing) -> None:
    ref = play.queried()
    with refused("an objection is answered or credited first"):
        play.do(ref, Invoice.accept, set_off_waived=False)
    ref = play.do(ref, Invoice.answer, note=None)
    assert play.status(ref) == InvoiceStatus.IN_PROCESS
    again = play.do(ref, Invoice.query, reason=Reason.PRICE, action=Action.NONE, note=None)
    assert play.status(again) == InvoiceStatus.QUERIED
    accepted = play.do(play.credit(again).invoice, Invoice.accept, set_off_waived=True)
    assert play.ledger.get(Receivable, accepted.receivable).set_off_waived


def test_a_query_has_a_reason_and_is_raised_once_at_a_time(play: Billing) -> None:
    ref = play.issue()
    with refused("an objection has a reason"):
        play.do(ref, Invoice.query, reason=Reason.NONE, action=Action.NONE, note=None)
    with refused("an objection is raised once at a time"):
        play.do(play.do(ref, Invoice.query, reason=Reason.ITEM, action=Action.NONE, note=None), Invoice.query,
                reason=Reason.ITEM, action=Action.NONE, note=None)  # fmt: skip


def test_there_must_be_an_objection_to_answer(play: Billing) -> None:
    with refused("there is no objection to answer"):
        play.do(play.issue(), Invoice.answer, note=None)


def test_a_conditional_acceptance_is_met_by_a_credit_note(play: Billing) -> None:
    arguments = {"reason": Reason.QUALITY, "action": Action.CREDIT_AMOUNT}
    ref = play.issue()
    with refused("the condition exceeds what is payable"):
        play.do(ref, Invoice.accept_conditionally, acceptable=eur("136125.01"), **arguments)
    ref = play.do(ref, Invoice.accept_conditionally, acceptable=eur("135141.87"), **arguments)
    assert play.status(ref) == InvoiceStatus.COND_ACCEPTED
    with refused("an objection is answered or credited first"):
        play.do(ref, Invoice.accept, set_off_waived=False)
    ref = play.credit(ref).invoice
    assert play.status(ref) == InvoiceStatus.COND_ACCEPTED
    right = play.ledger.get(Receivable, play.do(ref, Invoice.accept, set_off_waived=False).receivable)
    assert right.face == eur("135141.87")


def test_an_objection_of_any_kind_has_a_reason_and_an_amount_is_not_negative(play: Billing) -> None:
    ref = play.issue()
    condition = {"acceptable": eur("1.00"), "reason": Reason.PRICE, "action": Action.NONE}
    with refused("a condition has a reason"):
        play.do(ref, Invoice.accept_conditionally, **condition | {"reason": Reason.NONE})
    with refused("an amount to pay is not negative"):
        play.do(ref, Invoice.accept_conditionally, **condition | {"acceptable": eur("-1.00")})
    with refused("a rejection has a reason"):
        play.do(ref, Invoice.reject, reason=Reason.NONE)


def test_a_rejected_invoice_makes_no_receivable_and_is_final(play: Billing) -> None:
    ref = play.do(play.issue(), Invoice.reject, reason=Reason.UNRECOGNISED)
    assert play.status(ref) == InvoiceStatus.REJECTED
    assert play.ledger.active(Receivable) == []
    for choice, arguments in (
        (Invoice.accept, {"set_off_waived": False}),
        (Invoice.respond, {"status": InvoiceStatus.RECEIVED}),
        (Invoice.reject, {"reason": Reason.PRICE}),
        (Invoice.credit, {"note": CN_1, "exact": True, "receivable": None, "holder": None}),
    ):
        with refused("contract.require"):
            play.do(ref, choice, **arguments)


def test_an_accepted_invoice_is_neither_rejected_nor_accepted_again(play: Billing) -> None:
    ref = play.accept(play.issue()).invoice
    for choice, arguments in ((Invoice.reject, {"reason": Reason.PRICE}), (Invoice.accept, {"set_off_waived": True})):
        with refused("the buyer has decided already"):
            play.do(ref, choice, **arguments)
    assert len(play.ledger.active(Receivable)) == 1


def test_a_rejection_does_not_wait_for_a_seller_that_is_gone(play: Billing) -> None:
    ref = play.issue()
    with refused("ledger.confirmer"):
        play.ledger.exercise(ref, Invoice.reject, signed=[B], on=day(11, 3), reason=Reason.OTHER)
    play.ledger.exercise(ref, Invoice.reject, signed=[B], on=day(11, 4), reason=Reason.OTHER)


def test_silence_is_escalated_after_three_working_days(play: Billing) -> None:
    # issued on Monday 10-05; Thursday is the third working day after it
    ref = play.issue()
    assert working_days_after(day(10, 5), 3) == day(10, 8)
    assert working_days_after(day(10, 8), 3) == day(10, 13)
    assert working_days_after(day(10, 10), 1) == day(10, 12)
    assert working_days_after(day(10, 9), 10) == day(10, 23)
    with refused("contract.not-before"):
        play.ledger.exercise(ref, Invoice.escalate, signed=[S], on=day(10, 8))
    ref = play.ledger.exercise(ref, Invoice.escalate, signed=[S], on=day(10, 9))
    assert play.ledger.get(Invoice, ref).escalated
    with refused("there is no silence to escalate"):
        play.ledger.exercise(ref, Invoice.escalate, signed=[S], on=day(10, 9))


def test_nothing_payable_makes_no_receivable(play: Billing) -> None:
    paid = INV_1.replace(totals=INV_1.totals.replace(prepaid=INV_1.totals.gross, payable=eur("0")))
    assert play.accept(play.issue(paid)).receivable is None


# agreement --------------------------------------------------------------------------------------------------------


def test_an_invoice_under_an_agreement_is_accepted_at_agreed_prices(play: Billing) -> None:
    right = play.accept(play.issue(agreement=play.agreement())).receivable
    assert play.ledger.get(Receivable, right).face == eur("136125.00")  # type: ignore[arg-type]  # there is one


def dearer(price: str, net: str) -> Document:
    return document(
        "INV-2", (line("1", "B100", 1000, price, net),), issued=day(10, 5), due=day(11, 19)
    )  # fmt: skip


def test_a_price_above_the_agreed_one_by_more_than_the_tolerance_is_refused(play: Billing) -> None:
    agreement = play.agreement()
    play.accept(play.issue(dearer("63.75", "63750.00"), agreement=agreement))
    with refused("another price was agreed"):
        play.accept(play.issue(dearer("63.76", "63760.00").replace(number="INV-3"), agreement=agreement))


def test_what_the_agreement_does_not_price_the_buyer_judges(play: Billing) -> None:
    lines = (*LINES, line("3", "X9", 1, "5.00", "5.00"))
    invoice = play.issue(document("INV-4", lines, issued=day(10, 5), due=day(11, 19)), agreement=play.agreement())
    assert play.accept(invoice).receivable is not None


def test_an_agreement_between_others_is_not_relied_on(play: Billing) -> None:
    other = play.ledger.get(Agreement, play.agreement()).replace(parties=(S, K), signed=(S, K), number="MSA-9")
    ref = play.ledger.create(other, signed=[S, K], on=ON)
    with refused("the agreement is between others"):
        play.accept(play.issue(agreement=ref))


def test_a_price_in_another_currency_than_agreed_is_refused(play: Billing) -> None:
    invoice = invoice_of(INV_1)
    agreement = play.ledger.get(Agreement, play.agreement())
    dollars = tuple(
        term.replace(price=UnitPrice(term.price.value, term.price.scale, "USD")) for term in agreement.terms.prices
    )
    with refused("another currency was agreed"):
        invoice.require_agreed(agreement.replace(terms=agreement.terms.replace(prices=dollars)))


def test_an_earlier_due_day_than_agreed_is_refused(play: Billing) -> None:
    with refused("the invoice is due before the agreed day"):
        play.accept(play.issue(INV_1.replace(due=day(11, 18)), agreement=play.agreement()))


def test_another_unit_than_agreed_is_refused(play: Billing) -> None:
    odd = LINES[0].replace(quantity=Quantity(1000, 0, "KGM"))
    with refused("another unit was agreed"):
        play.accept(play.issue(INV_1.replace(lines=(odd, LINES[1])), agreement=play.agreement()))


def test_an_agreement_is_not_relied_on_after_its_end(play: Billing) -> None:
    late = INV_1.replace(issued=day(8, 10, 2027), due=day(9, 24, 2027))
    with refused("the agreement has ended"):
        play.accept(play.issue(late, agreement=play.agreement()))


def standing(play: Billing, **changes: Any) -> tuple[Ref[AutoAcceptance], Any]:
    agreement = play.agreement()
    word = AutoAcceptance(
        buyer=B, seller=S, agreement=agreement, amount_max=eur("200000"), valid_until=day(12, 31)
    ).replace(**changes)
    return play.ledger.create(word, signed=[B], on=ON), agreement


def test_an_invoice_that_keeps_to_the_agreement_is_accepted_by_rule(play: Billing) -> None:
    word, agreement = standing(play)
    invoice = play.issue(document("INV-2", LINES, issued=day(10, 5), due=day(11, 19)), agreement=agreement)
    accepted = play.do(word, AutoAcceptance.accept, invoice=invoice)  # type: ignore[arg-type]  # another template
    assert play.status(accepted.invoice) == InvoiceStatus.ACCEPTED
    with refused("contract.template"):
        play.do(word, AutoAcceptance.accept, invoice=word)  # type: ignore[arg-type]  # another template


@pytest.mark.parametrize(
    ("changes", "lines", "on", "reason"),
    [
        ({"amount_max": eur("134612.49")}, LINES, ON, "the invoice is over the limit"),
        ({}, (*LINES, line("3", "X9", 1, "5.00", "5.00")), ON, "no price was agreed for this line"),
        ({"valid_until": day(10, 7)}, LINES, ON, "contract.before"),
    ],
    ids=["limit", "unknown item", "expired"],
)
def test_the_rule_accepts_nothing_else(
    play: Billing, changes: dict[str, Any], lines: Any, on: object, reason: str
) -> None:
    word, agreement = standing(play, **changes)
    invoice = play.issue(document("INV-2", lines, issued=day(10, 5), due=day(11, 19)), agreement=agreement)
    with refused(reason):
        play.do(word, AutoAcceptance.accept, invoice=invoice)  # type: ignore[arg-type]  # another template


def test_the_rule_judges_an_invoice_that_names_no_agreement(play: Billing) -> None:
    word, _ = standing(play)
    dear = (line("1", "B100", 1000, "63.76", "63760.00"),)
    invoice = play.issue(document("INV-2", dear, issued=day(10, 5), due=day(11, 19)))
    with refused("another price was agreed"):
        play.do(word, AutoAcceptance.accept, invoice=invoice)  # type: ignore[arg-type]  # another template


def test_a_standing_acceptance_is_given_to_another(play: Billing) -> None:
    with refused("seller and buyer differ"):
        standing(play, seller=B)


def test_a_standing_acceptance_is_revoked_by_the_buyer(play: Billing) -> None:
    word, _ = standing(play)
    with refused("ledger.authority"):
        play.ledger.exercise(word, AutoAcceptance.revoke, signed=[S], on=ON)
    play.ledger.exercise(word, AutoAcceptance.revoke, signed=[B], on=ON)
    assert play.ledger.active(AutoAcceptance) == []


# credit notes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"preceding": "INV-9"}, "the credit note is on another invoice"),
        ({"kind": "380"}, "this is no credit note"),
        ({"issued": day(10, 4)}, "a credit note comes after its invoice"),
        ({"buyer": INV_1.seller}, "the credit note is between others"),
        ({"seller": INV_1.buyer}, "the credit note is between others"),
    ],
    ids=["invoice", "kind", "day", "buyer", "seller"],
)
def test_a_credit_note_on_something_else_is_refused(play: Billing, changes: dict[str, Any], reason: str) -> None:
    with refused(reason):
        play.credit(play.issue(), CN_1.replace(**changes))


def test_a_credit_note_of_nothing_or_of_another_kind_is_refused(play: Billing) -> None:
    ref = play.issue()
    with refused("a credit is more than nothing"):
        play.credit(ref, note_of("0.00"))
    with refused("this is no credit note"):
        play.credit(ref, CN_1.replace(kind="396"))


def test_a_credit_note_is_between_two_and_of_its_kind(play: Billing) -> None:
    play.credit(play.issue())
    note = play.ledger.only(CreditNote)
    for changes, reason in (
        ({"buyer": S}, "seller and buyer differ"),
        ({"document": INV_1}, "this is no credit note"),
    ):
        with refused(reason):
            play.ledger.create(note.replace(**changes), signed=[S], on=ON)


def test_no_more_is_credited_than_was_invoiced(play: Billing) -> None:
    ref = play.credit(play.issue(), note_of("112000.00")).invoice
    with refused("no more is credited than is payable"):
        play.credit(ref, note_of("500.01", "CN-10"))
    ref = play.credit(ref, note_of("500.00", "CN-10")).invoice
    assert play.ledger.get(Invoice, ref).payable == eur("0")


def test_crediting_before_acceptance_touches_no_receivable(play: Billing) -> None:
    accepted = play.accept(play.issue())
    other = play.issue(INV_1.replace(number="INV-2"))
    with refused("before acceptance there is no receivable"):
        play.credit(other, CN_1.replace(preceding="INV-2"), receivable=accepted.receivable)


def test_a_credit_after_acceptance_reduces_the_receivable_in_the_same_transaction(play: Billing) -> None:
    accepted = play.accept(play.issue())
    with refused("crediting an accepted invoice reduces its receivable"):
        play.credit(accepted.invoice)
    credited = play.credit(accepted.invoice, receivable=accepted.receivable, holder=S)
    right = play.ledger.get(Receivable, credited.receivable)
    assert (right.credited, right.outstanding) == (eur("983.13"), eur("135141.87"))
    assert play.status(credited.invoice) == InvoiceStatus.ACCEPTED
    assert play.ledger.get(CreditNote, credited.credit_note).document.preceding == "INV-2026-0001"


def sold(play: Billing) -> tuple[Any, Any]:
    accepted = play.accept(play.issue())
    right = play.ledger.exercise(accepted.receivable, Receivable.assign, signed=[S, B, L], on=ON, to=L)  # type: ignore[arg-type]  # there is one
    right = play.ledger.exercise(right, Receivable.notify, signed=[B, L], on=ON, account=L_ACCOUNT)
    return accepted.invoice, right


def test_a_credit_on_a_sold_receivable_needs_its_holder(play: Billing) -> None:
    invoice, right = sold(play)
    for holder in (None, S):
        with refused("contract.authority-exercise"):
            play.credit(invoice, receivable=right, holder=holder)
    with refused("ledger.authority"):
        play.credit(invoice, receivable=right, holder=L)
    credited = play.credit(invoice, CN_1, S, B, L, receivable=right, holder=L)
    assert play.ledger.get(Receivable, credited.receivable).holder == L


def test_a_credit_reduces_no_other_invoices_receivable(play: Billing) -> None:
    other = play.accept(play.issue(INV_1.replace(number="INV-2"))).receivable
    with refused("this is another invoice's receivable"):
        play.credit(play.accept(play.issue()).invoice, receivable=other)


def test_what_is_credited_after_payment_is_owed_back(play: Billing) -> None:
    invoice, right = sold(play)
    entry = play.entry("136000.00", ON)
    paid = play.ledger.exercise(right, Receivable.pay_down, signed=[B, L], on=ON, entry=entry, amount=eur("136000.00"))
    credited = play.credit(invoice, CN_1, S, B, L, receivable=paid, holder=L)
    assert play.ledger.get(Receivable, credited.receivable).outstanding == eur("0")
    debt = play.ledger.get(Obligation, credited.refund)
    assert (debt.obligor, debt.obligee, debt.face) == (S, B, eur("858.13"))


def test_what_is_credited_after_full_payment_is_owed_back_in_full(play: Billing) -> None:
    invoice, right = sold(play)
    entry = play.entry("136125.00", ON)
    paid = play.ledger.exercise(right, Receivable.pay_down, signed=[B, L], on=ON, entry=entry, amount=eur("136125.00"))
    credited = play.credit(invoice, CN_1, S, B, L, receivable=paid, holder=L)
    assert play.ledger.get(Obligation, credited.refund).face == eur("983.13")


def test_what_was_prepaid_and_is_credited_is_owed_back(play: Billing) -> None:
    prepaid = INV_1.replace(totals=INV_1.totals.replace(prepaid=INV_1.totals.gross, payable=eur("0")))
    credited = play.credit(play.accept(play.issue(prepaid)).invoice)
    assert credited.receivable is None
    assert play.ledger.get(Obligation, credited.refund).face == eur("983.13")


def test_a_written_off_invoice_says_so(play: Billing) -> None:
    invoice, right = sold(play)
    with refused("the right is someone else's"):
        play.do(invoice, Invoice.write_off, receivable=right, holder=S, reason="insolvency")
    lost = play.do(invoice, Invoice.write_off, S, B, L, receivable=right, holder=L, reason="insolvency")
    assert play.ledger.get(Receivable, lost).outstanding == eur("0")
    assert play.ledger.only(Invoice).status == InvoiceStatus.WRITTEN_OFF


# disputes ---------------------------------------------------------------------------------------------------------


def disputed(play: Billing, amount: str = "983.13", **changes: Any) -> tuple[Any, Ref[Dispute], Any]:
    invoice, right = sold(play)
    arguments = {
        "receivable": right, "number": "CASE-1", "amount": eur(amount), "reason": Reason.QUALITY, "lines": ("2",),
        "on_": ON,
    } | changes  # fmt: skip
    case = play.do(invoice, Invoice.dispute, S, B, L, **arguments)
    return invoice, case, play.ledger.refs(Receivable)[0]


def test_a_dispute_freezes_its_part_of_the_receivable(play: Billing) -> None:
    _, case, right = disputed(play)
    assert play.ledger.get(Receivable, right).disputed == eur("983.13")
    assert play.ledger.get(Dispute, case).status == DisputeStatus.RAISED


def test_a_dispute_is_about_lines_of_the_invoice(play: Billing) -> None:
    with refused("the invoice has no such line"):
        disputed(play, lines=("7",))


def test_a_dispute_is_over_the_invoices_own_receivable(play: Billing) -> None:
    other = play.accept(play.issue(INV_1.replace(number="INV-2"))).receivable
    mine = play.accept(play.issue())
    arguments = {
        "receivable": other, "number": "C", "amount": eur("1"), "reason": Reason.PRICE, "lines": (), "on_": ON,
    }  # fmt: skip
    with refused("this is another invoice's receivable"):
        play.do(mine.invoice, Invoice.dispute, **arguments)
    with refused("this is another invoice's receivable"):
        play.do(mine.invoice, Invoice.write_off, receivable=other, holder=S, reason="insolvency")
    case = play.do(mine.invoice, Invoice.dispute, **arguments | {"receivable": mine.receivable})
    with refused("this is another invoice's receivable"):
        play.do(case, Dispute.uphold, party=B, receivable=other)


def test_an_award_of_nothing_is_carried_out_by_no_outsider(play: Billing) -> None:
    _, case, right = disputed(play)
    case = arbitrated(play, case, "0.00")
    with refused("this is neither side"):
        play.do(case, Dispute.uphold, S, B, L, K, party=K, receivable=right)  # type: ignore[arg-type]  # another template


def test_only_an_accepted_invoice_is_disputed(play: Billing) -> None:
    right = play.accept(play.issue(INV_1.replace(number="INV-2"))).receivable
    with refused("only an accepted invoice is disputed"):
        play.do(
            play.issue(), Invoice.dispute, receivable=right, number="C", amount=eur("1"), reason=Reason.PRICE,
            lines=(), on_=ON,
        )  # fmt: skip


def agree(play: Billing, case: Any, invoice: Any, right: Any, note: Document, holder: Any = L) -> Any:
    return play.do(
        case, Dispute.agree, S, B, L, invoice=invoice, receivable=right, note=note, exact=True, holder=holder
    )


def test_an_agreed_dispute_ends_in_a_credit_note(play: Billing) -> None:
    invoice, case, right = disputed(play)
    case = play.ledger.exercise(case, Dispute.answer, signed=[S, B], on=ON, position=Hash(bytes(32)))
    credited = agree(play, case, invoice, right, CN_1)
    after = play.ledger.get(Receivable, credited.receivable)
    assert (after.disputed, after.outstanding) == (eur("0"), eur("135141.87"))
    assert play.ledger.only(Dispute).status == DisputeStatus.AGREED


def test_no_more_is_credited_than_is_disputed(play: Billing) -> None:
    invoice, case, right = disputed(play, "983.12")
    with refused("no more is credited than disputed"):
        agree(play, case, invoice, right, CN_1)


def test_a_dispute_that_the_buyer_gives_up_is_due_again(play: Billing) -> None:
    _, case, right = disputed(play)
    with refused("only the buyer gives in"):
        play.do(case, Dispute.uphold, S, B, L, party=S, receivable=right)  # type: ignore[arg-type]  # another template
    after = play.do(case, Dispute.uphold, S, B, L, party=B, receivable=right)  # type: ignore[arg-type]  # another template
    assert play.ledger.get(Receivable, after).disputed == eur("0")
    with refused("the dispute has an outcome"):
        play.do(play.ledger.refs(Dispute)[0], Dispute.uphold, S, B, L, party=B, receivable=after)  # type: ignore[arg-type]  # another template


def arbitrated(play: Billing, case: Ref[Dispute], award: str) -> Ref[Dispute]:
    case = play.ledger.exercise(case, Dispute.appoint, signed=[S, B], on=ON, arbiter=K)
    return play.ledger.exercise(case, Dispute.arbitrate, signed=[S, B, K], on=ON, award=eur(award))


def test_an_arbiter_is_agreed_on_and_neither_side(play: Billing) -> None:
    _, case, _ = disputed(play)
    with refused("contract.controllers"):
        play.ledger.exercise(case, Dispute.arbitrate, signed=[S, B, K], on=ON, award=eur("1"))
    with refused("ledger.authority"):
        play.ledger.exercise(case, Dispute.appoint, signed=[B], on=ON, arbiter=K)
    with refused("an arbiter is neither side"):
        play.ledger.exercise(case, Dispute.appoint, signed=[S, B], on=ON, arbiter=B)


def test_an_award_is_carried_out_exactly(play: Billing) -> None:
    invoice, case, right = disputed(play)
    case = arbitrated(play, case, "100.00")
    with refused("the credit is what was awarded"):
        agree(play, case, invoice, right, CN_1)
    credited = agree(play, case, invoice, right, award_note())
    assert play.ledger.get(Receivable, credited.receivable).outstanding == eur("136025.00")
    assert play.ledger.only(Dispute).status == DisputeStatus.CARRIED_OUT


def award_note() -> Document:
    """A credit note of exactly 100.00: 82.64 and 17.36 tax (17.3544), 21 % VAT rounded up by a cent of rounding."""
    note = note_of("82.64")
    assert note.groups[0].tax == eur("82.64").share(VAT)
    rounding = eur("100.00") - note.totals.gross
    return note.replace(totals=note.totals.replace(rounding=rounding, payable=eur("100.00")))


def test_no_more_is_awarded_than_disputed(play: Billing) -> None:
    _, case, _ = disputed(play)
    with refused("no more is awarded than disputed"):
        arbitrated(play, case, "983.14")


def test_an_award_of_nothing_is_carried_out_by_either_side(play: Billing) -> None:
    _, case, right = disputed(play)
    case = arbitrated(play, case, "0.00")
    after = play.do(case, Dispute.uphold, S, B, L, party=S, receivable=right)  # type: ignore[arg-type]  # another template
    assert play.ledger.get(Receivable, after).disputed == eur("0")
