"""Steps 8 to 13 of the reference scenario, to the cent."""

from __future__ import annotations

from tests.unit.business.scenario import L, Play, S, day, eur

from interfirm.business.cash.contract import Cash
from interfirm.business.factoring.advance import Advance, AdvanceStatus
from interfirm.business.factoring.facility import Exposure
from interfirm.business.invoices.answers import InvoiceStatus
from interfirm.business.invoices.contract import Invoice
from interfirm.business.invoices.credit_note import CreditNote
from interfirm.business.receivables.contract import Receivable


def owned(play: Play, owner: object) -> int:
    return sum(one.amount.minor for one in play.ledger.active(Cash) if one.owner == owner)


def test_the_invoice_is_payable_as_in_step_8() -> None:
    play = Play()
    invoice = play.ledger.get(Invoice, play.issue())
    assert invoice.payable == eur("136125.00")
    assert invoice.document.totals.net == eur("112500.00")
    assert invoice.document.totals.tax == eur("23625.00")
    assert invoice.due == day(11, 19)


def test_the_credit_note_of_step_9_rounds_its_tax_half_up() -> None:
    play = Play()
    invoice = play.ledger.get(Invoice, play.query_and_credit(play.issue()))
    note = play.ledger.only(CreditNote)
    assert (note.document.totals.net, note.document.totals.tax) == (eur("812.50"), eur("170.63"))
    assert note.document.totals.payable == eur("983.13")
    assert invoice.payable == eur("135141.87")
    assert invoice.status == InvoiceStatus.QUERIED


def test_accepting_makes_the_receivable_of_step_10() -> None:
    play = Play()
    accepted = play.to_acceptance()
    assert accepted.receivable is not None
    right = play.ledger.get(Receivable, accepted.receivable)
    assert right.face == right.outstanding == eur("135141.87")
    assert right.holder == S


def test_the_purchase_of_step_10_has_its_figures() -> None:
    play = Play()
    taken = play.to_purchase()
    advance = play.ledger.get(Advance, taken.advance)
    assert advance.price.purchased == eur("135141.87")
    assert advance.price.advance == eur("114870.59")
    assert advance.price.reserve == eur("20271.28")
    assert advance.price.fee == eur("2027.13")
    assert advance.status == AdvanceStatus.FUNDED
    assert taken.receivable is not None
    assert play.ledger.get(Receivable, taken.receivable).holder == L
    assert owned(play, S) == eur("114870.59").minor
    assert play.ledger.get(Exposure, taken.exposure).advanced == eur("114870.59")


def test_the_collection_of_step_12_bears_47_days_of_interest() -> None:
    play = Play()
    taken = play.collect(play.to_purchase())
    advance = play.ledger.get(Advance, taken.advance)
    assert advance.interest == eur("1079.78")
    assert advance.owed() == eur("0")
    assert advance.surplus == eur("17164.37")
    assert taken.receivable is not None
    assert play.ledger.get(Receivable, taken.receivable).outstanding == eur("0")
    assert play.ledger.get(Exposure, taken.exposure).advanced == eur("0")


def test_the_release_of_step_13_closes_the_books() -> None:
    play = Play()
    taken = play.collect(play.to_purchase())
    advance = play.ledger.get(Advance, play.release(taken))
    assert advance.status == AdvanceStatus.CLOSED
    assert owned(play, S) == eur("132034.96").minor
    cost = advance.price.fee + advance.interest
    assert cost == eur("3106.91")
    assert advance.price.advance + advance.released + cost == eur("135141.87")
    # 2.30 % of what was sold
    assert (cost.minor * 10_000 * 2 + advance.price.purchased.minor) // (2 * advance.price.purchased.minor) == 230


def test_cash_is_conserved_over_the_whole_scenario() -> None:
    play = Play()
    play.release(play.collect(play.to_purchase()))
    assert owned(play, S) + owned(play, L) == eur("200000.00").minor
