"""The terms of a facility, what is offered under it, and the arithmetic of a purchase."""

from __future__ import annotations

from interfirm.business.receivables.contract import InvoiceId, Receivable
from interfirm.contracts.language import Code, Day, Money, Party, Rate, Record, require

PARTS_PER_MILLION = 1000000
FEE_PERIOD_DAYS = 30


class DayCount(Code):
    """How the days of a year are counted; the days between two dates are the actual ones."""

    ACT_360 = "act/360"
    ACT_365 = "act/365"


class FeeBasis(Code):
    """What the fee is for."""

    FLAT = "flat"
    PER_30_DAYS = "per-30-days"
    """For every 30 days begun from purchase to the due day."""


class Recourse(Code):
    """Whether the seller takes a receivable back that is not paid."""

    FULL = "full"
    LIMITED = "limited"
    NONE = "none"


class ReleaseRule(Code):
    """When the lender pays out what it collected beyond its due."""

    WHEN_PAID = "when-paid"
    """Once all that was bought is collected."""
    WHEN_COVERED = "when-covered"
    """Once advance, fee and interest are."""


class DebtorLimit(Record):
    """How much may be advanced on one debtor."""

    debtor: Party
    """Whose debts."""
    limit: Money
    """How much."""


class Eligibility(Record):
    """Which receivables the lender buys."""

    days_to_due_max: int
    """Days from purchase to the due day."""
    amount_min: Money
    """Smallest outstanding amount."""
    currencies: tuple[str, ...]
    """ISO 4217."""
    verified: bool
    """Whether the debtor's own word is needed; otherwise its waiver of set-off at acceptance is."""


class FacilityTerms(Record):
    """What seller and lender agreed."""

    limit: Money
    """For all advances together."""
    debtor_limits: tuple[DebtorLimit, ...]
    """For each debtor that is financed at all."""
    concentration: Rate
    """The part of the limit that advances on one debtor may take up."""
    advance: Rate
    """The part of a receivable that is paid at once."""
    fee: Rate
    """The discount fee on what is bought."""
    fee_basis: FeeBasis
    """What the fee is for."""
    interest: Rate
    """A year, on the open advance."""
    day_count: DayCount
    """How interest counts days."""
    recourse: Recourse
    """Whether the seller takes unpaid receivables back."""
    recourse_share: Rate
    """With limited recourse, the part of the lender's due that the seller pays."""
    recourse_days: int
    """Days past due before it does."""
    disclosed: bool
    """Whether debtors are told to pay the lender."""
    release: ReleaseRule
    """When the reserve is paid out."""
    dispute_stops_interest: bool
    """Whether interest stops while all that is outstanding is disputed."""
    eligibility: Eligibility
    """What is bought."""
    volume_min: Money
    """What the seller undertakes to sell in a year."""

    def limit_of(self, debtor: Party) -> Money:
        """What may be advanced on a debtor; nothing on one that is not named."""
        named = [one.limit for one in self.debtor_limits if one.debtor == debtor]
        limit = named[0] if len(named) > 0 else self.limit.zero()
        return min(limit, self.limit.share(self.concentration))

    def year_days(self) -> int:
        """Days of a year for interest."""
        return 360 if self.day_count == DayCount.ACT_360 else 365


def require_terms(terms: FacilityTerms) -> None:
    """Refuse terms that make no sense."""
    require(terms.limit.minor > 0, "a facility has a limit", limit=terms.limit)
    for rate in (terms.concentration, terms.advance, terms.fee, terms.interest, terms.recourse_share):
        require(rate.parts_per_million >= 0, "a rate is not negative", rate=rate)
    for rate in (terms.concentration, terms.advance, terms.recourse_share):
        require(rate.parts_per_million <= PARTS_PER_MILLION, "a part is not more than the whole", rate=rate)
    require(terms.recourse_days >= 0 and terms.eligibility.days_to_due_max >= 0, "days are counted forward")
    for place, one in enumerate(terms.debtor_limits):
        require(one.limit <= terms.limit, "a debtor's limit is within the facility's", limit=one.limit)
        earlier = [other.debtor for other in terms.debtor_limits[:place]]
        require(one.debtor not in earlier, "each debtor is named once", debtor=one.debtor)


class Offered(Record):
    """What a seller says of the receivable that it offers; the lender's copy of it must agree."""

    obligor: Party
    """Who owes."""
    invoice: InvoiceId
    """The invoice."""
    outstanding: Money
    """What is still to be paid."""
    due: Day
    """When."""
    issued: Day
    """The invoice's day of issue."""
    gross: Money
    """The invoice's total with tax."""
    order: str
    """The order it was invoiced for."""
    round: int
    """How often it came back to the seller."""
    credited: Money
    """By credit notes so far."""
    paid: Money
    """By payments so far."""
    payments: int
    """How many payments arrived so far."""


def offered_of(receivable: Receivable) -> Offered:
    """What there is to say of a receivable."""
    return Offered(
        obligor=receivable.obligor,
        invoice=receivable.invoice,
        outstanding=receivable.outstanding,
        due=receivable.due,
        issued=receivable.issued,
        gross=receivable.gross,
        order=receivable.order,
        round=receivable.round,
        credited=receivable.credited,
        paid=receivable.paid,
        payments=len(receivable.received),
    )


class Price(Record):
    """What the lender pays and keeps for one receivable."""

    purchased: Money
    """What is outstanding on it."""
    advance: Money
    """What is paid at once."""
    reserve: Money
    """What is held back."""
    fee: Money
    """The discount fee, taken when the debtor pays."""


def price_of(terms: FacilityTerms, outstanding: Money, bought: Day, due: Day) -> Price:
    """The price of a receivable, each amount rounded once."""
    advance = outstanding.share(terms.advance)
    periods = 1
    if terms.fee_basis == FeeBasis.PER_30_DAYS:
        periods = max((bought.days_until(due) + FEE_PERIOD_DAYS - 1) // FEE_PERIOD_DAYS, 1)
    fee = outstanding.part(terms.fee.parts_per_million * periods, PARTS_PER_MILLION)
    return Price(purchased=outstanding, advance=advance, reserve=outstanding - advance, fee=fee)


def require_eligible(terms: FacilityTerms, offered: Offered, bought: Day) -> None:
    """Refuse a receivable that the facility does not buy."""
    wanted = terms.eligibility
    currency = offered.outstanding.currency
    require(currency in wanted.currencies, "this currency is not financed", currency=currency)
    require(wanted.amount_min <= offered.outstanding, "the amount is too small", amount=offered.outstanding)
    days = bought.days_until(offered.due)
    require(days >= 0, "what is overdue is not financed", due=offered.due)
    require(days <= wanted.days_to_due_max, "the due day is too far off", days=days, days_max=wanted.days_to_due_max)
