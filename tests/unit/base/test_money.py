"""Money, prices, quantities: integers, named rounding, nothing mixed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from interfirm.base.errors import Refusal
from interfirm.base.money import Money, Quantity, Rate, UnitPrice, decimal_text, round_half_away

EUR = "EUR"


def refused(code: str, work: Any) -> None:
    with pytest.raises(Refusal) as caught:
        work()
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [(5, 10, 1), (-5, 10, -1), (4, 10, 0), (170_625, 1000, 171), (15, 10, 2), (25, 10, 3)],
)
def test_halves_round_away_from_zero(numerator: int, denominator: int, rounded: int) -> None:
    assert round_half_away(numerator, denominator) == rounded


@given(st.integers(-(10**20), 10**20), st.integers(1, 10**10))
def test_rounding_is_never_off_by_more_than_half(numerator: int, denominator: int) -> None:
    assert abs(2 * (round_half_away(numerator, denominator) * denominator - numerator)) <= denominator


def test_the_scenarios_tax_and_interest_come_out_to_the_cent() -> None:
    assert Money(81_250, EUR).share(Rate(210_000)) == Money(17_063, EUR)
    assert Money(11_487_059, EUR).interest(Rate(72_000), days=47, year_days=360) == Money(107_978, EUR)


def test_two_currencies_are_never_mixed() -> None:
    euro, dollar = Money(1, EUR), Money(1, "USD")
    for work in (lambda: euro + dollar, lambda: euro - dollar, lambda: euro < dollar, lambda: euro >= dollar):
        refused("money.mixed", work)


def test_money_is_not_compared_with_anything_else() -> None:
    one: Any = 1
    for work in (lambda: Money(1, EUR) >= one, lambda: Money(1, EUR) < one, lambda: Money(1, EUR) + one):
        refused("value.kind", work)


def test_what_only_looks_like_a_value_is_refused() -> None:
    class Fake:
        value, scale, unit, parts_per_million = 1, 10**9, "C62", 5

    fake: Any = Fake()
    refused("value.kind", lambda: UnitPrice(1, 2, EUR).total(fake))
    refused("value.kind", lambda: Quantity(1, 0, "C62").compare(fake))
    refused("value.kind", lambda: Money(1, EUR).share(fake))
    refused("value.kind", lambda: Money(2**40, EUR).part(fake, 1))


def test_an_unknown_currency_and_too_large_an_amount_are_refused() -> None:
    refused("money.currency", lambda: Money(1, "XXX"))
    refused("value.range", lambda: Money(2**63, EUR))
    refused("money.denominator", lambda: Money(1, EUR).part(1, 0))
    refused("money.days", lambda: Money(1, EUR).interest(Rate(1), days=-1, year_days=360))


def test_a_price_may_be_finer_than_a_cent() -> None:
    assert UnitPrice(880, 5, EUR).total(Quantity(1000, 0, "C62")) == Money(880, EUR)
    assert UnitPrice.of(Money(6250, EUR)) == UnitPrice(6250, 2, EUR)
    refused("price.shape", lambda: UnitPrice(1, 10, EUR))
    refused("price.base", lambda: UnitPrice(1, 2, EUR).total(Quantity(1, 0, "C62"), base_quantity=0))


def test_quantities_of_one_unit_compare_across_scales() -> None:
    assert Quantity(10, 1, "KGM").compare(Quantity(1, 0, "KGM")) == 0
    assert Quantity(11, 1, "KGM").compare(Quantity(1, 0, "KGM")) == 1
    refused("quantity.mixed", lambda: Quantity(1, 0, "KGM").compare(Quantity(1, 0, "C62")))
    refused("quantity.shape", lambda: Quantity(1, 10, "C62"))


@pytest.mark.parametrize(
    ("value", "scale", "text"), [(13612500, 2, "136125.00"), (-5, 2, "-0.05"), (7, 0, "7"), (0, 3, "0.000")]
)
def test_decimal_texts_are_exact(value: int, scale: int, text: str) -> None:
    assert decimal_text(value, scale) == text
