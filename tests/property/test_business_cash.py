"""Whatever owners do with cash, the sum for each issuer and currency changes by issue and redemption alone."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.business.ledger import Ledger, party
from tests.unit.business.scenario import day

from interfirm.base.errors import Refusal
from interfirm.business.cash.contract import Cash
from interfirm.contracts.language import Hash, Money, Party, Ref

ON = day(10, 1)
ISSUERS = (party("bank one"), party("bank two"))
OWNERS = tuple(party(name) for name in ("a", "b", "c"))
CURRENCIES = ("EUR", "JPY")


class CashMoves(RuleBasedStateMachine):
    """Random issues, moves, divisions, merges and redemptions, sensible or not."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.issued: dict[tuple[Party, str], int] = {}

    def some(self, index: int) -> tuple[Ref[Cash], Cash]:
        refs = self.ledger.refs(Cash)
        ref = refs[index % len(refs)]
        return ref, self.ledger.get(Cash, ref)

    def count(self, cash: Cash, minor: int) -> None:
        key = (cash.issuer, cash.amount.currency)
        self.issued[key] = self.issued.get(key, 0) + minor

    def has_cash(self) -> bool:
        return bool(self.ledger.refs(Cash))

    @rule(
        issuer=st.sampled_from(ISSUERS),
        owner=st.sampled_from(OWNERS),
        amount=st.integers(-5, 10_000),
        currency=st.sampled_from(CURRENCIES),
    )
    def issue(self, issuer: Party, owner: Party, amount: int, currency: str) -> None:
        cash = Cash(issuer=issuer, owner=owner, amount=Money(amount, currency))
        try:
            self.ledger.create(cash, signed=[issuer], on=ON)
        except Refusal:
            assert amount <= 0
        else:
            self.count(cash, amount)

    @precondition(has_cash)
    @rule(
        index=st.integers(0, 99), to=st.sampled_from(OWNERS), amount=st.integers(-5, 12_000),
        currency=st.sampled_from(CURRENCIES), signer=st.sampled_from(OWNERS),
    )  # fmt: skip
    def move(self, index: int, to: Party, amount: int, currency: str, signer: Party) -> None:
        ref, cash = self.some(index)
        fits = 0 < amount <= cash.amount.minor and currency == cash.amount.currency
        allowed = fits and to != cash.owner and signer == cash.owner
        try:
            self.ledger.exercise(ref, Cash.move, signed=[signer], on=ON, to=to, amount=Money(amount, currency))
        except Refusal:
            assert not allowed
        else:
            assert allowed

    @precondition(has_cash)
    @rule(index=st.integers(0, 99), cuts=st.lists(st.integers(1, 9_999), min_size=1, max_size=3, unique=True))
    def divide(self, index: int, cuts: list[int]) -> None:
        ref, cash = self.some(index)
        edges = [0, *sorted(cut for cut in cuts if cut < cash.amount.minor), cash.amount.minor]
        parts = tuple(Money(high - low, cash.amount.currency) for low, high in pairwise(edges))
        if len(parts) > 1:
            self.ledger.exercise(ref, Cash.divide, signed=[cash.owner], on=ON, amounts=parts)

    @precondition(has_cash)
    @rule(index=st.integers(0, 99), others=st.lists(st.integers(0, 99), min_size=1, max_size=3))
    def merge(self, index: int, others: list[int]) -> None:
        ref, cash = self.some(index)
        found = [self.some(other) for other in others]
        refs = tuple(other for other, _ in found)
        like = all(
            (one.issuer, one.owner, one.amount.currency) == (cash.issuer, cash.owner, cash.amount.currency)
            for _, one in found
        )
        once = len({ref, *refs}) == len(refs) + 1
        try:
            self.ledger.exercise(ref, Cash.merge, signed=OWNERS, on=ON, others=refs)
        except Refusal:
            assert not (like and once)
        else:
            assert like
            assert once

    @precondition(has_cash)
    @rule(index=st.integers(0, 99), with_issuer=st.booleans())
    def redeem(self, index: int, *, with_issuer: bool) -> None:
        ref, cash = self.some(index)
        signed = [cash.owner, cash.issuer] if with_issuer else [cash.owner]
        try:
            self.ledger.exercise(
                ref, Cash.redeem, signed=signed, on=ON, account=Hash(bytes(32)), end_to_end_id="PAYOUT"
            )
        except Refusal:
            assert not with_issuer
        else:
            self.count(cash, -cash.amount.minor)

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        held: dict[tuple[Party, str], int] = {}
        for cash in self.ledger.active(Cash):
            key = (cash.issuer, cash.amount.currency)
            held[key] = held.get(key, 0) + cash.amount.minor
            assert cash.amount.minor > 0
        assert held == {key: minor for key, minor in self.issued.items() if minor}


CashMoves.TestCase.settings = settings(
    max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
TestCashIsConserved = CashMoves.TestCase
