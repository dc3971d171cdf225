"""Whatever happens to a sold receivable: one holder, nothing negative, every cent in one place, limits kept."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.unit.business.scenario import S_ACCOUNT, TERMS, B, L, Play, S, day, eur

from interfirm.base.errors import Refusal
from interfirm.business.factoring.advance import Advance
from interfirm.business.factoring.facility import Exposure
from interfirm.business.factoring.quote import quote
from interfirm.business.factoring.terms import price_of
from interfirm.business.payments.contract import Payment
from interfirm.business.receivables.ageing import BUCKETS, ageing
from interfirm.business.receivables.contract import Receivable
from interfirm.contracts.language import Money, Rate, Ref

FIRST = day(10, 9)
BOUNDED = settings(max_examples=12, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck))
AMOUNTS = st.integers(-100, 15_000_000)


class LifeOfAReceivable(RuleBasedStateMachine):
    """Payments, credits, disputes, discounts, collections and dilutions in any order and size, days going forward."""

    def __init__(self) -> None:
        super().__init__()
        self.play = Play()
        self.ledger = self.play.ledger
        self.on = FIRST
        self.transfers = 0

    @initialize()
    def sell(self) -> None:
        self.play.to_purchase()

    @property
    def right(self) -> Receivable:
        return self.ledger.only(Receivable)

    def ref(self, template: Any) -> Ref[Any]:
        (found,) = self.ledger.refs(template)
        return found

    def attempt(self, ref: Ref[Any], choice: Any, **arguments: Any) -> bool:
        """Whether it was done; a refusal leaves the ledger as it was."""
        before = dict(self.ledger.contracts)
        try:
            self.ledger.exercise(ref, choice, signed=[S, B, L], on=self.on, **arguments)
        except Refusal:
            assert self.ledger.contracts == before
            return False
        return True

    @rule(days=st.integers(0, 30))
    def wait(self, days: int) -> None:
        self.on = self.on.plus(days)

    @rule(amount=st.integers(1, 15_000_000), applied=AMOUNTS)
    def pay(self, amount: int, applied: int) -> None:
        self.transfers += 1
        text = str(Money(amount, "EUR"))
        entry = self.play.entry(text, self.on, end_to_end_id=f"E2E-{self.transfers}")
        outstanding = self.right.outstanding.minor
        done = self.attempt(self.ref(Receivable), Receivable.pay_down, entry=entry, amount=Money(applied, "EUR"))
        assert done == (0 < applied <= min(amount, outstanding))

    @rule(amount=AMOUNTS)
    def credit(self, amount: int) -> None:
        outstanding = self.right.outstanding.minor
        done = self.attempt(self.ref(Receivable), Receivable.reduce, amount=Money(amount, "EUR"))
        assert done == (0 < amount <= outstanding)

    @rule(amount=AMOUNTS)
    def dispute(self, amount: int) -> None:
        free = self.right.outstanding.minor - self.right.disputed.minor
        done = self.attempt(self.ref(Receivable), Receivable.dispute, amount=Money(amount, "EUR"), on_=self.on)
        assert done == (0 < amount <= free)

    @rule(amount=AMOUNTS)
    def end_dispute(self, amount: int) -> None:
        done = self.attempt(self.ref(Receivable), Receivable.end_dispute, amount=Money(amount, "EUR"))
        assert done == (amount > 0)

    @rule(amount=AMOUNTS)
    def discount(self, amount: int) -> None:
        self.attempt(self.ref(Receivable), Receivable.discount, amount=Money(amount, "EUR"))

    @rule()
    def collect(self) -> None:
        self.attempt(self.ref(Advance), Advance.collect, receivable=self.ref(Receivable), exposure=self.ref(Exposure))

    @rule()
    def dilute(self) -> None:
        self.attempt(
            self.ref(Advance), Advance.dilute, receivable=self.ref(Receivable), exposure=self.ref(Exposure),
            due=self.on,
        )  # fmt: skip

    @rule()
    def release(self) -> None:
        cash = self.play.cash(L, "200000.00", self.on)
        self.attempt(self.ref(Advance), Advance.release, cash=cash, on_=self.on)

    @rule()
    def recourse(self) -> None:
        cash = self.play.cash(S, "200000.00", self.on)
        self.attempt(
            self.ref(Advance), Advance.recourse, receivable=self.ref(Receivable), exposure=self.ref(Exposure),
            cash=cash, account=S_ACCOUNT, on_=self.on,
        )  # fmt: skip

    @invariant()
    def there_is_one_right_with_one_holder(self) -> None:
        if self.ledger.history:
            assert self.right.holder in (S, L)

    @invariant()
    def outstanding_is_face_less_reductions_and_never_negative(self) -> None:
        for right in self.ledger.active(Receivable):
            taken = right.credited + right.paid + right.discounted + right.written_off
            assert right.outstanding == right.face - taken
            assert 0 <= right.disputed.minor <= right.outstanding.minor

    @invariant()
    def every_transfer_is_allocated_or_a_credit(self) -> None:
        payments = self.ledger.active(Payment)
        for right in self.ledger.active(Receivable):
            applied = sum(part.amount.minor for one in payments for part in one.allocations)
            assert right.paid.minor == applied
        for one in payments:
            assert one.unallocated().minor >= 0

    @invariant()
    def advances_are_within_limits_and_counted(self) -> None:
        for exposure in self.ledger.active(Exposure):
            open_parts = sum(one.principal.minor for one in self.ledger.active(Advance))
            assert exposure.advanced.minor == open_parts
            assert exposure.advanced <= TERMS.limit
            assert all(one.advanced <= TERMS.limit_of(one.debtor) for one in exposure.debtors)

    @invariant()
    def ageing_adds_up_to_what_is_outstanding(self) -> None:
        rights = self.ledger.active(Receivable)
        for row in ageing(rights, self.on):
            assert sum(getattr(row, name).minor for name in BUCKETS) == row.outstanding.minor
        shown = sum(row.outstanding.minor for row in ageing(rights, self.on))
        assert shown == sum(right.outstanding.minor for right in rights)


LifeOfAReceivable.TestCase.settings = BOUNDED
TestLifeOfAReceivable = LifeOfAReceivable.TestCase


@given(
    outstanding=st.integers(1, 10**12),
    advance=st.integers(0, 1_000_000),
    fee=st.integers(0, 1_000_000),
    days=st.integers(1, 400),
)
def test_a_price_has_no_missing_cent(outstanding: int, advance: int, fee: int, days: int) -> None:
    terms = TERMS.replace(advance=Rate(advance), fee=Rate(fee))
    price = price_of(terms, Money(outstanding, "EUR"), FIRST, FIRST.plus(days))
    assert price.advance + price.reserve == price.purchased
    assert 0 <= price.advance.minor <= outstanding
    if price.advance.minor:
        asked = quote(terms, price.purchased, bought=FIRST, due=FIRST.plus(days), paid=FIRST.plus(days))
        assert asked.advance + asked.rebate + asked.cost == price.purchased
        assert asked.annual_rate.parts_per_million >= 0


def test_the_scenarios_figures_hold_within_these_properties() -> None:
    assert price_of(TERMS, eur("135141.87"), day(10, 8), day(11, 19)).advance == eur("114870.59")
