"""What a sale would cost, before anything is signed: the same arithmetic as the contract's, and the yearly rate."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal

from interfirm.base.errors import check
from interfirm.base.values import Value
from interfirm.business.factoring.terms import PARTS_PER_MILLION, FacilityTerms, price_of
from interfirm.contracts.language import Day, Money, Rate

YEAR_DAYS = 365
ANNUAL_RATE_MAX = Rate(10_000 * PARTS_PER_MILLION)
"""1,000,000 %: no rate above it is told apart."""
_EXACT_ENOUGH = Context(prec=40, rounding=ROUND_HALF_UP)


class Quote(Value, frozen=True):
    """The cost of a sale that is paid in full on one day; advance + rebate + cost is what was sold."""

    purchased: Money
    advance: Money
    """Paid at once."""
    reserve: Money
    """Held back."""
    fee: Money
    interest: Money
    cost: Money
    """Fee and interest."""
    rebate: Money
    """Paid out when the debtor has paid; negative where the reserve does not cover the cost."""
    days: int
    """From purchase to payment."""
    cost_rate: Rate
    """Cost by what was sold."""
    annual_rate: Rate
    """Annual percentage rate of charge of advance and cost (Directive (EU) 2023/2225, annex III)."""


def quote(terms: FacilityTerms, outstanding: Money, *, bought: Day, due: Day, paid: Day) -> Quote:
    """The cost of selling a receivable on one day when its debtor pays in full on another.

    Raises Refusal `quote.days` where it is paid before it is bought, `quote.amount` where nothing is advanced.
    """
    days = bought.days_until(paid)
    check(days > 0, "quote.days", "a receivable is paid after it is bought", days=days)
    price = price_of(terms, outstanding, bought, due)
    check(price.advance.minor > 0, "quote.amount", "nothing would be advanced", outstanding=str(outstanding))
    interest = price.advance.interest(terms.interest, days=days, year_days=terms.year_days())
    cost = price.fee + interest
    return Quote(
        purchased=price.purchased,
        advance=price.advance,
        reserve=price.reserve,
        fee=price.fee,
        interest=interest,
        cost=cost,
        rebate=price.reserve - cost,
        days=days,
        cost_rate=Rate(_parts(Decimal(cost.minor) / Decimal(price.purchased.minor))),
        annual_rate=annual_rate(price.advance, cost, days),
    )


def annual_rate(advance: Money, cost: Money, days: int) -> Rate:
    """The yearly rate x with advance x (1 + x) ** (days / 365) = advance + cost; at most ANNUAL_RATE_MAX."""
    growth = _EXACT_ENOUGH.divide(Decimal((advance + cost).minor), Decimal(advance.minor))
    exponent = _EXACT_ENOUGH.divide(Decimal(YEAR_DAYS), Decimal(days))
    most = Decimal(ANNUAL_RATE_MAX.parts_per_million) / PARTS_PER_MILLION
    return Rate(_parts(min(_EXACT_ENOUGH.power(growth, exponent) - 1, most)))


def _parts(ratio: Decimal) -> int:
    return int((ratio * PARTS_PER_MILLION).quantize(Decimal(1), rounding=ROUND_HALF_UP))
