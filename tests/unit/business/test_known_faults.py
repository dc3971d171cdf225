"""Each fault known from an earlier implementation of these ideas, carried out and refused (04-business)."""

from __future__ import annotations

import inspect

import pytest
from tests.unit.business.ledger import engine, refused
from tests.unit.business.scenario import CN_1, INV_1, L_ACCOUNT, B, K, L, Play, S, day, eur, invoice_of

from interfirm.base.money import Money
from interfirm.business.cash.contract import Cash
from interfirm.business.factoring.contract import Offer
from interfirm.business.factoring.terms import offered_of, price_of
from interfirm.business.invoices.answers import InvoiceStatus
from interfirm.business.invoices.contract import Invoice
from interfirm.business.payments.contract import BankEntry
from interfirm.business.receivables.contract import Receivable
from interfirm.contracts.language import Ref

ON = day(10, 8)


@pytest.fixture
def play() -> Play:
    return Play()


def test_an_invoice_is_not_factored_without_the_buyers_acceptance(play: Play) -> None:
    # S writes the receivable itself, as the earlier factoring did with nobody's signature
    accepted = Play()
    right = accepted.ledger.get(Receivable, accepted.to_acceptance().receivable)  # type: ignore[arg-type]  # there is one
    play.issue()
    with refused("ledger.authority"):
        play.ledger.create(right, signed=[S, L], on=ON)


def test_an_issued_invoice_is_not_offered_as_if_it_were_a_receivable(play: Play) -> None:
    invoice = play.issue()
    opened = play.facility()
    accepted = Play()
    right = accepted.ledger.get(Receivable, accepted.to_acceptance().receivable)  # type: ignore[arg-type]  # there is one
    offered = offered_of(right)
    offer = Offer(
        seller=S, lender=L, facility=opened.facility, receivable=Ref(invoice.transaction, invoice.index),
        offered=offered, price=price_of(play.terms, offered.outstanding, ON, offered.due), valid_until=day(10, 31),
    )  # fmt: skip
    ref = play.ledger.create(offer, signed=[S], on=ON)
    with refused("contract.template"):
        play.take(ref, opened.exposure, None, play.cash(L, "200000.00", ON))


@pytest.mark.parametrize("missing", [S, B, L])
def test_an_invoice_is_not_factored_without_each_signature(play: Play, missing: object) -> None:
    opened = play.facility()
    right = play.to_acceptance().receivable
    assert right is not None
    signed = tuple(one for one in (S, B, L) if one != missing)
    with refused("ledger.authority" if missing == L else "ledger.confirmer"):
        play.take(
            play.offer(right, opened), opened.exposure, play.verify(right), play.cash(L, "200000.00", ON),
            signed=signed,
        )  # fmt: skip


def test_factoring_produces_a_holder(play: Play) -> None:
    taken = play.to_purchase()
    assert taken.receivable is not None
    assert play.ledger.get(Receivable, taken.receivable).holder == L


def test_paying_checks_the_amount(play: Play) -> None:
    taken = play.to_purchase()
    entry = play.entry("1.00", day(11, 24))
    with refused("the entry does not cover the amount"):
        play.ledger.exercise(
            taken.receivable, Receivable.pay_down, signed=[B, L], on=day(11, 24), entry=entry,  # type: ignore[arg-type]  # there is one
            amount=eur("135141.87"),
        )  # fmt: skip


def test_paying_checks_the_state(play: Play) -> None:
    taken = play.collect(play.to_purchase())
    with refused("no more is applied than is outstanding"):
        play.collect(taken, "135141.87", end_to_end_id="E2E-2")


def test_paying_checks_the_signer(play: Play) -> None:
    taken = play.to_purchase()
    entry = play.entry("135141.87", day(11, 24))
    with refused("ledger.authority"):
        play.ledger.exercise(
            taken.receivable, Receivable.pay_down, signed=[B, S], on=day(11, 24), entry=entry,  # type: ignore[arg-type]  # there is one
            amount=eur("135141.87"),
        )  # fmt: skip


def test_a_payment_without_the_banks_evidence_is_not_the_lenders_to_invent(play: Play) -> None:

    entry = play.ledger.get(BankEntry, play.entry("135141.87", day(11, 24)))
    with refused("ledger.authority"):
        play.ledger.create(entry.replace(end_to_end_id="E2E-2"), signed=[L, S, B], on=day(11, 24))


def test_every_template_can_end_or_never_changes() -> None:
    # delete commands that demanded an output that cannot exist: a choice that ends a contract creates none
    evidence = {"BankEntry", "BankReport", "CreditNote", "Financing", "Redemption"}
    for code in engine().templates():
        assert code.choices or code.id.name in evidence


def test_every_change_needs_the_signatures_of_those_it_binds(play: Play) -> None:
    # only create checked both keys: here each choice on a two-party contract refuses one signature
    invoice = play.accept(play.query_and_credit(play.issue())).invoice
    note = CN_1.replace(number="CN-2")
    arguments = {"note": note, "exact": True, "receivable": play.ledger.refs(Receivable)[0], "holder": None}
    for signed, code in (([S], "ledger.confirmer"), ([B], "ledger.authority")):
        with refused(code):
            play.ledger.exercise(invoice, Invoice.credit, signed=signed, on=ON, **arguments)


def test_a_transition_outside_the_table_is_refused(play: Play) -> None:
    # transitions of a case were commented out
    for status in InvoiceStatus:
        if status is not InvoiceStatus.ISSUED:
            with refused("an invoice begins with its issue"):
                play.ledger.create(invoice_of(INV_1, status=status), signed=[S, B], on=ON)


def test_both_parties_of_an_assignment_are_checked_and_not_one_of_them_twice(play: Play) -> None:
    right = play.to_acceptance().receivable
    assert right is not None
    for signed in ([S, B], [L, B], [S, B, K]):
        with refused("ledger.authority"):
            play.ledger.exercise(right, Receivable.assign, signed=signed, on=ON, to=L)


def test_money_has_a_currency_and_currencies_do_not_mix(play: Play) -> None:
    dollars = play.ledger.create(
        play.ledger.get(Cash, play.cash(L, "1.00", ON)).replace(amount=Money(20_000_000, "USD")),
        signed=[play.ledger.active(Cash)[0].issuer],
        on=ON,
    )
    opened = play.facility()
    right = play.to_acceptance().receivable
    assert right is not None
    with refused("money.mixed"):
        play.take(play.offer(right, opened), opened.exposure, play.verify(right), dollars, account=L_ACCOUNT)


def test_no_field_is_a_float_and_no_date_or_flag_is_a_text() -> None:
    dated = ("due", "issued", "booked", "value", "start", "end", "given", "valid_until", "raised", "accrued_to")
    flagged = ("assignable", "set_off_waived", "exact", "escalated", "no_set_off", "breach")
    for code in engine().templates():
        for name, kind in code.fields.items():
            assert "float" not in str(kind)
            if name in (*dated, *flagged):
                assert "str" not in str(kind), f"{code.id.name}.{name}"


def test_personal_names_and_addresses_are_private_fields() -> None:
    personal = ("contact", "note", "phone", "mail", "person")
    for code in engine().templates():
        for name, kind in code.fields.items():
            if any(word in name for word in personal):
                assert "Private" in str(kind), f"{code.id.name}.{name}"


def test_contracts_are_named_by_ref_and_not_found_by_scanning() -> None:
    # lookup by scanning the vault: contract code can fetch by ref and has no way to search
    for code in engine().templates():
        for chosen in code.choices.values():
            parameters = inspect.signature(chosen.function).parameters
            assert list(parameters)[:2] == ["self", "tx"]
