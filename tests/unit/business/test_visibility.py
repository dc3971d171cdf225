"""Who sees what (04-business 1.10): the access matrix, read off the forests of the scenario."""

from __future__ import annotations

import pytest
from tests.unit.business.ledger import Ledger, Outcome, engine, numbers_in, seen_by, shown
from tests.unit.business.scenario import BANK, CN_1, L2, LINES, TERMS, B, K, L, Play, S, day, eur

from interfirm.business.cash.contract import Cash
from interfirm.business.factoring.advance import Advance
from interfirm.business.factoring.contract import Taken
from interfirm.business.invoices.answers import Reason
from interfirm.business.invoices.contract import Invoice
from interfirm.contracts.language import Party, Private
from interfirm.contracts.types import Create, Exercise, walk

PRIVATE_TO_S_AND_L = {"Facility", "Exposure", "Offer", "Financing", "Advance", "TrustCollection", "TrustMoney"}
SECRETS = {
    "advance": eur("114870.59").minor,
    "reserve": eur("20271.28").minor,
    "fee": eur("2027.13").minor,
    "interest": eur("1079.78").minor,
    "rebate": eur("17164.37").minor,
    "limit": eur("250000").minor,
    "advance rate": TERMS.advance.parts_per_million,
    "fee rate": TERMS.fee.parts_per_million,
    "interest rate": TERMS.interest.parts_per_million,
}
"""Figures of the deal between S and L."""


@pytest.fixture(scope="module")
def played() -> Ledger:
    """The whole scenario, with another lender who has a facility of its own and was offered something else."""
    play = Play()
    play.agreement()
    play.facility(L2, number="F-2")
    play.release(play.collect(play.to_purchase()))
    return play.ledger


def templates_seen(ledger: Ledger, viewer: Party) -> set[str]:
    return {action.template.name for outcome in ledger.history for action in seen_by(outcome, viewer)}


def purchase(ledger: Ledger) -> Outcome:
    return next(one for one in ledger.history if shown(one.actions[0]) == "Offer.take")


def test_the_buyer_sees_nothing_of_the_deal_between_supplier_and_lender(played: Ledger) -> None:
    assert not templates_seen(played, B) & PRIVATE_TO_S_AND_L


@pytest.mark.parametrize("secret", SECRETS)
def test_no_figure_of_the_deal_is_in_what_the_buyer_sees(played: Ledger, secret: str) -> None:
    visible = {number for outcome in played.history for number in numbers_in(seen_by(outcome, B))}
    assert SECRETS[secret] not in visible


@pytest.mark.parametrize("secret", SECRETS)
def test_every_figure_of_the_deal_is_in_what_the_lender_sees(played: Ledger, secret: str) -> None:
    visible = {number for outcome in played.history for number in numbers_in(seen_by(outcome, L))}
    assert SECRETS[secret] in visible


def test_the_buyer_sees_of_the_purchase_the_new_holder_and_where_to_pay(played: Ledger) -> None:
    assert [shown(action) for action in seen_by(purchase(played), B)] == [
        "fetch Receivable",
        "fetch Verification",
        "Receivable.assign",
        "create Receivable",
        "Receivable.notify",
        "create Receivable",
    ]


def test_the_oracle_sees_amount_and_name_of_the_transfer_and_cash_but_no_business(played: Ledger) -> None:
    assert templates_seen(played, BANK) == {"BankEntry", "Cash"}


def test_the_oracle_learns_that_its_entry_was_read_and_not_for_what(played: Ledger) -> None:
    readings = [
        seen_by(outcome, BANK) for outcome in played.history if shown(outcome.actions[0]) == "Receivable.pay_down"
    ]
    assert [[shown(action) for action in reading] for reading in readings] == [["fetch BankEntry"]]


def test_the_lender_sees_nothing_of_invoice_agreement_and_order(played: Ledger) -> None:
    assert not templates_seen(played, L) & {"Agreement", "Invoice", "CreditNote", "Dispute"}


def test_the_lender_sees_no_line_of_the_invoice(played: Ledger) -> None:
    visible = {number for outcome in played.history for number in numbers_in(seen_by(outcome, L))}
    assert not {one.net.minor for one in LINES} & visible


def test_the_second_lender_sees_its_own_facility_only(played: Ledger) -> None:
    seen = [shown(action) for outcome in played.history for action in seen_by(outcome, L2)]
    assert seen == ["create Facility", "Facility.accept", "create Facility", "create Exposure"]


def test_a_stranger_sees_nothing(played: Ledger) -> None:
    assert templates_seen(played, K) == set()


def test_the_supplier_sees_everything_but_the_lenders_cash(played: Ledger) -> None:
    hidden = {
        shown(action)
        for outcome in played.history
        for action in walk(outcome.actions)
        if action not in seen_by(outcome, S)
    }
    # cash issued to L, L's own facility is S's too; the bank's entry for L is between B and L
    assert hidden <= {"create Cash", "create BankEntry", "create Payment", "fetch BankEntry", "Facility.accept"}


def test_the_issuer_of_cash_sees_its_movement_and_not_its_reason(played: Ledger) -> None:
    assert {shown(action) for action in seen_by(purchase(played), BANK)} == {"Cash.move", "create Cash"}


def test_every_view_carries_its_own_authority(played: Ledger) -> None:
    # each node a party sees first is authorised by signatories of its contract or by parties who signed the whole
    for outcome in played.history:
        confirmers = {
            party
            for action in walk(outcome.actions)
            if isinstance(action, Exercise)
            for party in action.confirmers.parties
        }
        for top in outcome.actions:
            confirmers |= set(top.signatories if isinstance(top, Create) else top.controllers)
        for action in walk(outcome.actions):
            needed = set(action.signatories) if isinstance(action, Create) else set(action.controllers)
            own = set(action.signatories) if isinstance(action, Exercise) else set()
            delegated = needed - confirmers - own
            # cash alone is made by an issuer who does not sign, below a choice on cash
            assert not delegated or action.template.name == "Cash"


def test_silent_factoring_tells_the_buyer_nothing() -> None:
    play = Play(TERMS.replace(disclosed=False))
    taken: Taken = play.to_purchase()
    assert taken.receivable is None
    assert seen_by(purchase(play.ledger), B) == []
    assert play.ledger.get(Advance, taken.advance).price.advance == eur("114870.59")
    assert play.ledger.active(Cash)[-1].amount == eur("85129.41")
    assert day(10, 8) == play.ledger.get(Advance, taken.advance).accrued_to


def accepted_and_sold() -> tuple[Play, object, object]:
    play = Play()
    opened = play.facility()
    accepted = play.to_acceptance()
    assert accepted.receivable is not None
    taken = play.take(
        play.offer(accepted.receivable, opened), opened.exposure, play.verify(accepted.receivable),
        play.cash(L, "200000.00", day(10, 1)),
    )  # fmt: skip
    return play, accepted.invoice, taken.receivable


def test_the_lender_learns_that_a_part_is_disputed_and_not_why() -> None:
    play, invoice, right = accepted_and_sold()
    on = day(10, 9)
    play.ledger.exercise(
        invoice, Invoice.dispute, signed=[S, B, L], on=on, receivable=right, number="CASE-1", amount=eur("812.50"),  # type: ignore[arg-type]  # a ref
        reason=Reason.QUALITY, lines=("2",), on_=on,
    )  # fmt: skip
    seen = seen_by(play.ledger.history[-1], L)
    assert [shown(action) for action in seen] == ["fetch Receivable", "Receivable.dispute", "create Receivable"]


def test_the_lender_that_agrees_to_a_credit_sees_the_credit_note() -> None:
    play, invoice, right = accepted_and_sold()
    note = CN_1.replace(number="CN-2", issued=day(10, 9))
    play.ledger.exercise(
        invoice, Invoice.credit, signed=[S, B, L], on=day(10, 9), note=note, exact=True, receivable=right, holder=L  # type: ignore[arg-type]  # a ref
    )  # fmt: skip
    assert "create CreditNote" in [shown(action) for action in seen_by(play.ledger.history[-1], L)]


def test_private_fields_are_commitments_in_every_payload() -> None:
    play = Play()
    contact: Private[str] = Private(bytes(range(32)))
    play.issue(seller_contact=contact, internal_note=contact)
    assert engine().named("invoices.Invoice").private_fields == [
        "objection", "seller_contact", "buyer_contact", "internal_note",
    ]  # fmt: skip
    assert play.ledger.only(Invoice).seller_contact == contact
