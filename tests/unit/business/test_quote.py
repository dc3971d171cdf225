"""The cost of a sale before it is signed: to the cent what the contract then charges."""

from __future__ import annotations

import pytest
from tests.unit.business.ledger import refused
from tests.unit.business.scenario import TERMS, Play, day, eur

from interfirm.business.factoring.advance import Advance
from interfirm.business.factoring.quote import ANNUAL_RATE_MAX, annual_rate, quote
from interfirm.contracts.language import Rate

SOLD = eur("135141.87")


def test_a_quote_is_what_the_sale_then_costs() -> None:
    asked = quote(TERMS, SOLD, bought=day(10, 8), due=day(11, 19), paid=day(11, 24))
    assert (asked.advance, asked.reserve) == (eur("114870.59"), eur("20271.28"))
    assert (asked.fee, asked.interest, asked.cost) == (eur("2027.13"), eur("1079.78"), eur("3106.91"))
    assert asked.rebate == eur("17164.37")
    assert asked.advance + asked.rebate + asked.cost == SOLD
    assert asked.cost_rate == Rate(22_990)
    play = Play()
    advance = play.ledger.get(Advance, play.collect(play.to_purchase()).advance)
    assert (advance.price.fee, advance.interest, advance.surplus) == (asked.fee, asked.interest, asked.rebate)


def test_the_annual_rate_is_the_effective_one() -> None:
    # (117,977.50 / 114,870.59) ** (365 / 47) - 1
    assert quote(TERMS, SOLD, bought=day(10, 8), due=day(11, 19), paid=day(11, 24)).annual_rate == Rate(230_297)
    assert annual_rate(eur("100.00"), eur("10.00"), 365) == Rate(100_000)
    assert annual_rate(eur("100.00"), eur("21.00"), 730) == Rate(100_000)
    assert annual_rate(eur("1.00"), eur("1.00"), 1) == ANNUAL_RATE_MAX


@pytest.mark.parametrize("paid", [day(10, 8), day(10, 7)])
def test_a_receivable_is_paid_after_it_is_bought(paid: object) -> None:
    with refused("quote.days"):
        quote(TERMS, SOLD, bought=day(10, 8), due=day(11, 19), paid=paid)  # type: ignore[arg-type]  # a day


def test_a_quote_for_nothing_is_refused() -> None:
    with refused("quote.amount"):
        quote(TERMS, eur("0.00"), bought=day(10, 8), due=day(11, 19), paid=day(11, 24))
