"""Templates: Facility (the agreement of seller and lender) and Exposure (what is advanced under it)."""

from __future__ import annotations

from interfirm.business.agreements.contract import Notice
from interfirm.business.factoring.terms import FacilityTerms, require_terms
from interfirm.contracts.language import (
    Claim,
    Code,
    Day,
    Hash,
    Money,
    Party,
    Record,
    Ref,
    Template,
    Transaction,
    choice,
    require,
)


class FacilityStatus(Code):
    """Where a facility stands."""

    PROPOSED = "proposed"
    IN_EFFECT = "in-effect"
    SUSPENDED = "suspended"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


BINDING = (FacilityStatus.IN_EFFECT, FacilityStatus.SUSPENDED)
"""In these it can be changed and ended."""


class Opened(Record):
    """What accepting a facility leaves behind."""

    facility: Ref[Facility]
    """The facility in effect."""
    exposure: Ref[Exposure]
    """Nothing is advanced yet."""


class Facility(Template):
    """The agreement under which a lender buys a seller's receivables."""

    number: str
    """The lender's number."""
    seller: Party
    """Who sells."""
    lender: Party
    """Who buys."""
    terms: FacilityTerms
    """On which terms."""
    document: Hash
    """SHA-256 of the text."""
    start: Day
    """First day."""
    end: Day
    """Last day of new purchases."""
    notice_days: int = 30
    """Days from a notice until it ends new purchases."""
    status: FacilityStatus = FacilityStatus.PROPOSED
    """Where it stands."""
    version: int = 1
    """Raised by each amendment; the first takes the number."""

    def signatories(self) -> tuple[Party, ...]:
        """The lender, who proposes; once accepted both."""
        return (self.lender,) if self.open() else (self.seller, self.lender)

    def observers(self) -> tuple[Party, ...]:
        """The seller."""
        return (self.seller,)

    def claims(self) -> tuple[Claim, ...]:
        """A lender numbers its facilities once."""
        if self.status != FacilityStatus.PROPOSED or self.version != 1:
            return ()
        return (Claim(family="factoring.facility", owner=self.lender, key=(self.number,)),)

    def ensure(self) -> None:
        """The terms make sense."""
        require(self.seller != self.lender, "seller and lender differ")
        require(self.start <= self.end, "a facility starts before it ends", start=self.start, end=self.end)
        require(self.notice_days >= 0, "days are counted forward", notice_days=self.notice_days)
        require_terms(self.terms)

    def open(self) -> bool:
        """Whether the seller has not accepted."""
        accepted = (FacilityStatus.IN_EFFECT, FacilityStatus.SUSPENDED, FacilityStatus.ENDED)
        return self.status not in accepted

    def moved(self, tx: Transaction, allowed: tuple[FacilityStatus, ...], status: FacilityStatus) -> Ref[Facility]:
        """The same facility in another status, if it is in an allowed one."""
        require(self.status in allowed, "the facility's status does not allow this", status=self.status)
        return tx.create(self.replace(status=status))

    def require_active(self, day: Day) -> None:
        """Refuse to buy under a facility that is not in effect on a day."""
        require(self.status == FacilityStatus.IN_EFFECT, "the facility is not in effect", status=self.status)
        require(self.start <= day, "the facility has not started", start=self.start, day=day)
        require(day <= self.end, "the facility has ended", end=self.end, day=day)

    @choice(by="seller")
    def accept(self, tx: Transaction) -> Opened:
        """Agree; opens the account of what is advanced."""
        facility = self.moved(tx, (FacilityStatus.PROPOSED,), FacilityStatus.IN_EFFECT)
        zero = self.terms.limit.zero()
        exposure = tx.create(
            Exposure(facility=self.number, seller=self.seller, lender=self.lender, advanced=zero, volume=zero)
        )
        return Opened(facility=facility, exposure=exposure)

    @choice(by="seller")
    def reject(self, tx: Transaction) -> Ref[Facility]:
        """Turn the proposal down."""
        return self.moved(tx, (FacilityStatus.PROPOSED,), FacilityStatus.REJECTED)

    @choice(by="lender")
    def withdraw(self, tx: Transaction) -> Ref[Facility]:
        """Take the proposal back."""
        return self.moved(tx, (FacilityStatus.PROPOSED,), FacilityStatus.WITHDRAWN)

    @choice(by=("seller", "lender"))
    def amend(self, tx: Transaction, terms: FacilityTerms, document: Hash, end: Day) -> Ref[Facility]:
        """Agree on other terms for new purchases."""
        require(self.status in BINDING, "the facility's status does not allow this", status=self.status)
        return tx.create(self.replace(terms=terms, document=document, end=end, version=self.version + 1))

    @choice(by="lender")
    def suspend(self, tx: Transaction) -> Ref[Facility]:
        """Buy nothing for the time being."""
        return self.moved(tx, (FacilityStatus.IN_EFFECT,), FacilityStatus.SUSPENDED)

    @choice(by="lender")
    def resume(self, tx: Transaction) -> Ref[Facility]:
        """Buy again."""
        return self.moved(tx, (FacilityStatus.SUSPENDED,), FacilityStatus.IN_EFFECT)

    @choice(by=("seller", "lender"))
    def terminate(self, tx: Transaction) -> Ref[Facility]:
        """End new purchases together."""
        return self.moved(tx, BINDING, FacilityStatus.ENDED)

    @choice(by="party")
    def terminate_on_notice(self, tx: Transaction, party: Party, notice: Ref[Notice]) -> Ref[Facility]:
        """Record that a notice by either side has run out."""
        require(party == self.seller or party == self.lender, "this is no party to the facility", party=party)
        found = tx.fetch(Notice, notice)
        require(found.agreement == self.number, "the notice is of another agreement", agreement=found.agreement)
        given = found.giver == self.seller or found.giver == self.lender
        require(given, "the notice is of an outsider", giver=found.giver)
        tx.not_before(found.given.plus(self.notice_days))
        return self.moved(tx, BINDING, FacilityStatus.ENDED)


class DebtorExposure(Record):
    """What is advanced on one debtor."""

    debtor: Party
    """Whose debts."""
    advanced: Money
    """How much is open."""


class Exposure(Template):
    """What is advanced and not yet repaid under a facility; purchase and collection consume it, so it counts right."""

    facility: str
    """The facility's number."""
    seller: Party
    """Who was paid."""
    lender: Party
    """Who paid."""
    advanced: Money
    """On all debtors together."""
    volume: Money
    """What was bought under the facility so far."""
    debtors: tuple[DebtorExposure, ...] = ()
    """By debtor, those with an open advance."""

    def signatories(self) -> tuple[Party, ...]:
        """Both."""
        return (self.seller, self.lender)

    def ensure(self) -> None:
        """The whole is the sum of its parts, none of them negative."""
        parts = sum((one.advanced for one in self.debtors), self.advanced.zero())
        require(self.advanced == parts, "exposure is the sum over debtors", advanced=self.advanced, parts=parts)
        for one in self.debtors:
            require(one.advanced.minor > 0, "a debtor without open advance is not listed", debtor=one.debtor)
        require(self.volume.minor >= 0, "volume is not negative", volume=self.volume)

    def on(self, debtor: Party) -> Money:
        """What is advanced on one debtor."""
        named = [one.advanced for one in self.debtors if one.debtor == debtor]
        return named[0] if len(named) > 0 else self.advanced.zero()

    def changed(self, debtor: Party, advanced: Money) -> Exposure:
        """With another amount on one debtor, the debtors in the order of their ids."""
        others = [one for one in self.debtors if one.debtor != debtor]
        parts = [*others, DebtorExposure(debtor=debtor, advanced=advanced)] if advanced.minor > 0 else others
        whole = sum((one.advanced for one in parts), self.advanced.zero())
        return self.replace(advanced=whole, debtors=tuple(sorted(parts, key=lambda one: one.debtor.id)))

    @choice(by=("seller", "lender"))
    def add(
        self, tx: Transaction, facility: Ref[Facility], debtor: Party, amount: Money, purchased: Money
    ) -> Ref[Exposure]:
        """Count a new advance; refuses what is over a limit."""
        found = tx.fetch(Facility, facility)
        same = found.number == self.facility and found.seller == self.seller and found.lender == self.lender
        require(same, "this is another facility's exposure", facility=self.facility, number=found.number)
        require(amount.minor > 0, "an advance is more than nothing", amount=amount)
        after = self.changed(debtor, self.on(debtor) + amount)
        limit = found.terms.limit
        require(after.advanced <= limit, "the facility's limit is exceeded", advanced=after.advanced, limit=limit)
        debtor_limit = found.terms.limit_of(debtor)
        require(
            after.on(debtor) <= debtor_limit,
            "the debtor's limit is exceeded",
            advanced=after.on(debtor),
            limit=debtor_limit,
        )
        return tx.create(after.replace(volume=self.volume + purchased))

    @choice(by="lender")
    def lower(self, tx: Transaction, debtor: Party, amount: Money) -> Ref[Exposure]:
        """Count what was repaid."""
        require(amount.minor > 0, "a repayment is more than nothing", amount=amount)
        require(amount <= self.on(debtor), "no more is repaid than advanced", amount=amount, advanced=self.on(debtor))
        return tx.create(self.changed(debtor, self.on(debtor) - amount))
