"""Template: Advance (one purchase and its repayment), which only seller and lender see."""

from __future__ import annotations

from interfirm.business.cash.contract import Cash
from interfirm.business.companies.contract import Account, within_day
from interfirm.business.factoring.facility import Exposure
from interfirm.business.factoring.terms import FacilityTerms, Price, Recourse, ReleaseRule
from interfirm.business.factoring.trust import TrustMoney
from interfirm.business.payments.contract import BankEntry, Obligation, take_in
from interfirm.business.receivables.contract import InvoiceId, Receivable
from interfirm.contracts.language import (
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


class AdvanceStatus(Code):
    """Where a purchase stands."""

    PURCHASED = "purchased"
    FUNDED = "funded"
    COLLECTED = "collected"
    RESERVE_RELEASED = "reserve-released"
    CLOSED = "closed"
    RECOURSED = "recoursed"
    WRITTEN_OFF = "written-off"


RUNNING = (AdvanceStatus.FUNDED, AdvanceStatus.COLLECTED)
"""In these the lender is still owed."""


class Applied(Record):
    """What applying a collection leaves behind."""

    advance: Ref[Advance]
    """The advance after it."""
    exposure: Ref[Exposure]
    """The exposure after it."""


class Advance(Template):
    """One purchase: what was advanced, what is owed on it, what was collected. Only seller and lender see it."""

    seller: Party
    """Who sold."""
    lender: Party
    """Who bought."""
    debtor: Party
    """Who owes what was bought."""
    facility: str
    """The facility's number."""
    terms: FacilityTerms
    """Its terms at purchase."""
    invoice: InvoiceId
    """The invoice."""
    due: Day
    """When the debtor is to pay."""
    price: Price
    """Purchased amount, advance, reserve and fee at purchase."""
    purchased: Money
    """What was bought, less what was credited since."""
    reserve: Money
    """What is held back of it."""
    principal: Money
    """The part of the advance that is not repaid."""
    fee_open: Money
    """The part of the fee that is not paid."""
    interest: Money
    """Interest accrued in all."""
    interest_open: Money
    """The part of it that is not paid."""
    accrued_to: Day
    """Up to when interest is accrued."""
    collected: Money
    """What the debtor's payments brought."""
    surplus: Money
    """The part of it beyond what the lender was owed: the seller's rebate."""
    released: Money
    """The part of the rebate that was paid out."""
    relieved: Money
    """What was turned into another debt, repaid in recourse or written off."""
    credited: Money
    """Credit notes counted so far."""
    payments: int
    """How many of the receivable's payments are counted."""
    status: AdvanceStatus
    """Where the purchase stands."""
    stopped: Day | None = None
    """Since when interest stands still because of a dispute."""

    def signatories(self) -> tuple[Party, ...]:
        """Both."""
        return (self.seller, self.lender)

    def ensure(self) -> None:
        """Every cent collected went somewhere, and nothing is negative."""
        for amount in (
            self.purchased, self.reserve, self.principal, self.fee_open, self.interest_open, self.surplus,
            self.released, self.relieved,
        ):  # fmt: skip
            require(amount.minor >= 0, "no amount of an advance is negative", amount=amount)
        repaid = self.price.advance - self.principal + self.price.fee - self.fee_open
        went = repaid + self.interest - self.interest_open + self.surplus
        require(self.collected + self.relieved == went, "what came in is what was applied", came=self.collected)
        require(self.released <= self.surplus, "no more is released than the rebate", released=self.released)

    def owed(self) -> Money:
        """What the lender is owed now."""
        return self.fee_open + self.interest_open + self.principal

    def accrued(self, day: Day) -> Advance:
        """With interest up to a day, or to the day it stopped."""
        until = day if self.stopped is None else min(day, self.stopped)
        days = self.accrued_to.days_until(until)
        if days <= 0:
            return self
        more = self.principal.interest(self.terms.interest, days=days, year_days=self.terms.year_days())
        return self.replace(interest=self.interest + more, interest_open=self.interest_open + more, accrued_to=until)

    def applied(self, amount: Money, day: Day) -> Advance:
        """With a payment of the debtor's: fee and interest first, then the advance, the rest for the seller."""
        at = self.accrued(day)
        fee = min(amount, at.fee_open)
        interest = min(amount - fee, at.interest_open)
        principal = min(amount - fee - interest, at.principal)
        return at.replace(
            fee_open=at.fee_open - fee,
            interest_open=at.interest_open - interest,
            principal=at.principal - principal,
            surplus=at.surplus + amount - fee - interest - principal,
            collected=at.collected + amount,
            status=AdvanceStatus.COLLECTED,
        )

    def relieved_of(self, amount: Money) -> Advance:
        """With a part of what is owed settled some other way: the advance first."""
        principal = min(amount, self.principal)
        interest = min(amount - principal, self.interest_open)
        fee = min(amount - principal - interest, self.fee_open)
        return self.replace(
            principal=self.principal - principal,
            interest_open=self.interest_open - interest,
            fee_open=self.fee_open - fee,
            relieved=self.relieved + amount,
        )

    def require_running(self) -> None:
        """Refuse once the purchase is over, or before it was paid."""
        require(self.status in RUNNING, "the advance's status does not allow this", status=self.status)

    def read(self, tx: Transaction, receivable: Ref[Receivable]) -> Receivable:
        """The receivable that was bought."""
        right = tx.fetch(Receivable, receivable)
        require(right.invoice == self.invoice and right.seller == self.seller, "this is another receivable")
        return right

    def counted(self, tx: Transaction, exposure: Ref[Exposure], after: Advance) -> Ref[Exposure]:
        """The exposure less what of the advance was repaid or given up."""
        less = self.principal - after.principal
        if less.minor == 0:
            return exposure
        return tx.exercise(exposure, Exposure.lower, debtor=self.debtor, amount=less)

    # funding and collection -------------------------------------------------------------------------------------------

    @choice(by="lender")
    def fund(self, tx: Transaction, entry: Ref[BankEntry]) -> Ref[Advance]:
        """Show that the advance was paid by bank; interest runs from its booking."""
        require(self.status == AdvanceStatus.PURCHASED, "the advance was paid already", status=self.status)
        found = tx.fetch(BankEntry, entry)
        require(found.amount == self.price.advance, "another amount was paid", paid=found.amount)
        take_in(tx, found, self.lender, self.seller, self.invoice.number, found.amount)
        return tx.create(self.replace(status=AdvanceStatus.FUNDED, accrued_to=found.booked))

    @choice(by="lender")
    def collect(self, tx: Transaction, receivable: Ref[Receivable], exposure: Ref[Exposure]) -> Applied:
        """Apply the payments that arrived on the receivable since the last time."""
        self.require_running()
        right = self.read(tx, receivable)
        require(right.holder == self.lender, "the right is someone else's", holder=right.holder)
        new = right.received[self.payments :]
        require(len(new) > 0, "no payment has arrived since")
        after = self.stopped_by(right)
        for part in new:
            after = after.applied(part.amount, part.booked)
        advance = tx.create(after.replace(payments=len(right.received)))
        return Applied(advance=advance, exposure=self.counted(tx, exposure, after))

    def stopped_by(self, right: Receivable) -> Advance:
        """With interest stopped, if all that is outstanding is disputed and the terms say that this stops it."""
        whole = right.disputed.minor > 0 and right.disputed == right.outstanding
        if self.stopped is not None or not whole or not self.terms.dispute_stops_interest:
            return self
        return self.replace(stopped=right.disputed_since)

    @choice(by="party")
    def stop_interest(self, tx: Transaction, party: Party, receivable: Ref[Receivable]) -> Ref[Advance]:
        """Note that the debtor disputes all that is outstanding."""
        self.require_running()
        require(party == self.seller or party == self.lender, "this is no party to the advance", party=party)
        after = self.stopped_by(self.read(tx, receivable))
        require(self.stopped is None and after.stopped is not None, "nothing stops the interest")
        return tx.create(after)

    @choice(by="lender")
    def resume_interest(self, tx: Transaction, receivable: Ref[Receivable], on: Day) -> Ref[Advance]:
        """The dispute is over: interest runs again from here on."""
        self.require_running()
        within_day(tx, on)
        require(self.stopped is not None, "interest was not stopped")
        right = self.read(tx, receivable)
        require(right.disputed.minor == 0, "the dispute goes on", disputed=right.disputed)
        return tx.create(self.accrued(on).replace(stopped=None, accrued_to=on))

    @choice(by="lender")
    def release(self, tx: Transaction, cash: Ref[Cash], on: Day) -> Ref[Advance]:
        """Pay the rebate out: what was collected less advance, fee and interest."""
        within_day(tx, on)
        amount = self.releasable()
        tx.exercise(cash, Cash.move, to=self.seller, amount=amount)
        return tx.create(self.replace(released=self.released + amount, status=AdvanceStatus.RESERVE_RELEASED))

    @choice(by="lender")
    def release_by_bank(self, tx: Transaction, entry: Ref[BankEntry]) -> Ref[Advance]:
        """Show that the rebate was paid by bank."""
        amount = self.releasable()
        found = tx.fetch(BankEntry, entry)
        require(found.amount == amount, "another amount was paid", paid=found.amount, rebate=amount)
        take_in(tx, found, self.lender, self.seller, self.invoice.number, amount)
        return tx.create(self.replace(released=self.released + amount, status=AdvanceStatus.RESERVE_RELEASED))

    def releasable(self) -> Money:
        """The rebate that may be paid out."""
        require(self.status == AdvanceStatus.COLLECTED, "nothing was collected", status=self.status)
        require(self.owed().minor == 0, "the lender is still owed", owed=self.owed())
        paid = self.collected >= self.purchased or self.terms.release == ReleaseRule.WHEN_COVERED
        require(paid, "the debtor has not paid all", collected=self.collected, purchased=self.purchased)
        amount = self.surplus - self.released
        require(amount.minor > 0, "there is no rebate")
        return amount

    @choice(by="seller")
    def close(self, tx: Transaction) -> Ref[Advance]:
        """Confirm that the rebate arrived, or that there is none."""
        ended = self.status == AdvanceStatus.RESERVE_RELEASED or self.status == AdvanceStatus.COLLECTED
        require(ended, "the advance's status does not allow this", status=self.status)
        require(self.owed().minor == 0, "the lender is still owed", owed=self.owed())
        require(self.released == self.surplus, "a rebate is due", rebate=self.surplus, released=self.released)
        return tx.create(self.replace(status=AdvanceStatus.CLOSED, reserve=self.reserve.zero()))

    # what may go wrong ------------------------------------------------------------------------------------------------

    @choice(by=("seller", "lender"))
    def dilute(self, tx: Transaction, receivable: Ref[Receivable], exposure: Ref[Exposure], due: Day) -> Applied:
        """Count the credit notes given since: the reserve absorbs them, what exceeds it the seller owes."""
        self.require_running()
        right = self.read(tx, receivable)
        less = right.credited - self.credited
        require(less.minor > 0, "nothing was credited since")
        absorbed = min(less, self.reserve)
        debt = min(less - absorbed, self.principal)
        after = self.replace(purchased=self.purchased - less, reserve=self.reserve - absorbed, credited=right.credited)
        if debt.minor > 0:
            self.owe(tx, debt, due, "dilution")
            after = after.relieved_of(debt)
        return Applied(advance=tx.create(after), exposure=self.counted(tx, exposure, after))

    def owe(self, tx: Transaction, amount: Money, due: Day, reason: str) -> Ref[Obligation]:
        """A plain debt of the seller's to the lender."""
        return tx.create(
            Obligation(
                obligor=self.seller,
                obligee=self.lender,
                face=amount,
                due=due,
                reason=reason,
                reference=self.invoice.number,
            )
        )

    @choice(by=("lender", "seller"))
    def recourse(
        self, tx: Transaction, receivable: Ref[Receivable], exposure: Ref[Exposure], cash: Ref[Cash],
        account: Account, on: Day,
    ) -> Applied:  # fmt: skip
        """Give the receivable back to the seller against what the lender is owed, after the recourse days."""
        self.require_running()
        require(self.terms.recourse != Recourse.NONE, "the lender bought without recourse")
        within_day(tx, on)
        tx.not_before(self.due.plus(self.terms.recourse_days))
        right = self.read(tx, receivable)
        at = self.stopped_by(right).accrued(on)
        owed = at.owed()
        require(owed.minor > 0, "the lender is owed nothing")
        claim = owed.share(self.terms.recourse_share) if self.terms.recourse == Recourse.LIMITED else owed
        tx.exercise(cash, Cash.move, to=self.lender, amount=claim)
        tx.exercise(receivable, Receivable.recourse, to=self.seller, account=account)
        after = at.relieved_of(owed).replace(status=AdvanceStatus.RECOURSED)
        return Applied(advance=tx.create(after), exposure=self.counted(tx, exposure, after))

    @choice(by="lender")
    def write_off(
        self, tx: Transaction, receivable: Ref[Receivable], exposure: Ref[Exposure], insolvency: Hash
    ) -> Applied:
        """Bear the loss of a debtor's insolvency, shown by a document; a dispute is not the lender's risk."""
        self.require_running()
        require(self.terms.recourse != Recourse.FULL, "the lender has recourse")
        right = self.read(tx, receivable)
        require(right.disputed.minor == 0, "a dispute is not the lender's risk", disputed=right.disputed)
        require(self.owed().minor > 0, "the lender is owed nothing")
        tx.exercise(receivable, Receivable.write_off, reason="insolvency")
        after = self.relieved_of(self.owed()).replace(status=AdvanceStatus.WRITTEN_OFF)
        return Applied(advance=tx.create(after), exposure=self.counted(tx, exposure, after))

    @choice(by="seller", consuming=False)
    def hold_in_trust(self, tx: Transaction, entry: Ref[BankEntry]) -> Ref[TrustMoney]:
        """Own up to money that the debtor paid to the seller although it was told not to: it is the lender's."""
        found = tx.fetch(BankEntry, entry)
        require(found.payee == self.seller, "the money was paid to someone else", payee=found.payee)
        require(found.payer == self.debtor, "the money was paid by someone else", payer=found.payer)
        return tx.create(
            TrustMoney(
                seller=self.seller,
                lender=self.lender,
                debtor=self.debtor,
                invoice=self.invoice,
                amount=found.amount,
                end_to_end_id=found.end_to_end_id,
                booked=found.booked,
            )
        )

    # silent factoring -------------------------------------------------------------------------------------------------

    @choice(by="seller")
    def remit(
        self, tx: Transaction, exposure: Ref[Exposure], cash: Ref[Cash], amount: Money, booked: Day, on: Day
    ) -> Applied:
        """Pass on what the seller collected in trust; the debtor, who was told nothing, sees nothing of this."""
        self.require_running()
        require(not self.terms.disclosed, "the debtor pays the lender")
        within_day(tx, on)
        require(booked <= on, "the money has not arrived", booked=booked)
        tx.exercise(cash, Cash.move, to=self.lender, amount=amount)
        after = self.applied(amount, booked)
        return Applied(advance=tx.create(after), exposure=self.counted(tx, exposure, after))

    @choice(by=("seller", "lender"))
    def disclosed(
        self, tx: Transaction, receivable: Ref[Receivable], exposure: Ref[Exposure], paid_before: Money, on: Day
    ) -> Applied:
        """From here on the debtor pays the lender; what the seller collected and kept until now becomes its debt."""
        require(not self.terms.disclosed, "the debtor pays the lender already")
        within_day(tx, on)
        right = self.read(tx, receivable)
        require(right.holder == self.lender, "the right is someone else's", holder=right.holder)
        after = self.replace(terms=self.terms.replace(disclosed=True), payments=len(right.received))
        kept = right.paid - paid_before - self.collected
        if kept.minor > 0:
            self.owe(tx, kept, on, "collected-in-trust")
            after = after.applied(kept, on)
        return Applied(advance=tx.create(after), exposure=self.counted(tx, exposure, after))
