"""Template: Offer (a seller's offer of one receivable to one lender), the way into all the others of this folder."""

from __future__ import annotations

from interfirm.business.cash.contract import Cash
from interfirm.business.companies.contract import Account, within_day
from interfirm.business.factoring.advance import Advance, AdvanceStatus
from interfirm.business.factoring.facility import Exposure, Facility
from interfirm.business.factoring.fingerprints import Financing
from interfirm.business.factoring.silence import TrustCollection
from interfirm.business.factoring.terms import Offered, Price, offered_of, price_of, require_eligible
from interfirm.business.receivables.contract import Receivable, Verification
from interfirm.contracts.language import Day, Fallback, Party, Record, Ref, Template, Transaction, choice, require


class Taken(Record):
    """What a purchase leaves behind."""

    advance: Ref[Advance]
    """What was paid and is owed."""
    exposure: Ref[Exposure]
    """What is advanced under the facility now."""
    receivable: Ref[Receivable] | None
    """The right, now the lender's; none in silent factoring."""
    trust: Ref[TrustCollection] | None
    """In silent factoring, the seller's duty to collect."""
    change: Ref[Cash] | None
    """What is left of the lender's cash."""


class Offer(Template):
    """A holder's offer to sell one receivable to one lender, on terms only they see."""

    seller: Party
    """Who offers."""
    lender: Party
    """To whom."""
    facility: Ref[Facility]
    """Under which agreement."""
    receivable: Ref[Receivable]
    """What."""
    offered: Offered
    """What the seller says of it."""
    price: Price
    """What it is sold for under the agreement's terms."""
    valid_until: Day
    """Last day to take it."""

    def signatories(self) -> tuple[Party, ...]:
        """The seller."""
        return (self.seller,)

    def observers(self) -> tuple[Party, ...]:
        """The lender."""
        return (self.lender,)

    def fallback(self) -> Fallback:
        """Declining an offer that ran out waits for nobody."""
        return Fallback(confirmers=(self.lender,), since=self.valid_until.plus(1).start())

    def ensure(self) -> None:
        """There is something to sell, and the price is for it."""
        require(self.seller != self.lender, "seller and lender differ")
        require(self.offered.obligor != self.lender, "debtor and lender differ")
        require(self.offered.outstanding.minor > 0, "nothing is outstanding", outstanding=self.offered.outstanding)
        require(self.price.purchased == self.offered.outstanding, "the price is for what is outstanding")
        parts = self.price.advance + self.price.reserve
        require(parts == self.price.purchased, "advance and reserve make up what is bought", parts=parts)

    @choice(by="seller")
    def withdraw(self, tx: Transaction) -> None:
        """Take the offer back; the receivable was never locked."""

    @choice(by="lender")
    def decline(self, tx: Transaction, reason: str) -> None:
        """Turn the offer down."""

    @choice(by="lender")
    def take(
        self, tx: Transaction, exposure: Ref[Exposure], verification: Ref[Verification] | None, cash: Ref[Cash] | None,
        account: Account, parties_number: int, order_number: int, on: Day,
    ) -> Taken:  # fmt: skip
        """Buy: limits, fingerprints, the right and, with cash, the advance, all in one transaction.

        `account` is where the debtor is to pay from now on. Without cash the advance is paid by bank (Advance.fund).
        """
        within_day(tx, on)
        require(on <= self.valid_until, "the offer has run out", valid_until=self.valid_until)
        facility = self.under(tx, on)
        if facility.terms.disclosed:
            self.verify(tx, facility, verification, on)
        counted = tx.exercise(
            exposure,
            Exposure.add,
            facility=self.facility,
            debtor=self.offered.obligor,
            amount=self.price.advance,
            purchased=self.price.purchased,
        )
        tx.create(
            Financing(
                seller=self.seller,
                lender=self.lender,
                offered=self.offered,
                parties_number=parties_number,
                order_number=order_number,
            )
        )
        right, trust = None, None
        if facility.terms.disclosed:
            assigned = tx.exercise(self.receivable, Receivable.assign, to=self.lender)
            right = tx.exercise(assigned, Receivable.notify, account=account)
        else:
            trust = tx.create(
                TrustCollection(
                    seller=self.seller, lender=self.lender, invoice=self.offered.invoice, paid_before=self.offered.paid
                )
            )
        change = None
        if cash is not None:
            change = tx.exercise(cash, Cash.move, to=self.seller, amount=self.price.advance).change
        advance = tx.create(self.advance(facility, on, cash is not None))
        return Taken(advance=advance, exposure=counted, receivable=right, trust=trust, change=change)

    def under(self, tx: Transaction, on: Day) -> Facility:
        """The agreement, if it lets the lender buy this at this price today."""
        facility = tx.fetch(Facility, self.facility)
        same = facility.seller == self.seller and facility.lender == self.lender
        require(same, "the facility is between others", facility=facility.number)
        facility.require_active(on)
        require_eligible(facility.terms, self.offered, on)
        price = price_of(facility.terms, self.offered.outstanding, on, self.offered.due)
        require(price == self.price, "the price is not that of the facility", offered=self.price, computed=price)
        return facility

    def verify(self, tx: Transaction, facility: Facility, verification: Ref[Verification] | None, on: Day) -> None:
        """The receivable is as the seller says, free of dispute, and its debtor stands by it."""
        right = tx.fetch(Receivable, self.receivable)
        require(right.holder == self.seller, "the seller does not hold the right", holder=right.holder)
        require(offered_of(right) == self.offered, "the receivable is not as offered", outstanding=right.outstanding)
        require(right.disputed.minor == 0, "what is disputed is not financed", disputed=right.disputed)
        if verification is None:
            require(not facility.terms.eligibility.verified, "the debtor's own word is needed")
            require(right.set_off_waived, "the debtor has not waived set-off")
            return
        word = tx.fetch(Verification, verification)
        of_it = word.invoice == right.invoice and word.obligor == right.obligor and word.holder == self.seller
        require(of_it, "the verification is of something else", invoice=word.invoice.number)
        same = word.outstanding == right.outstanding and word.due == right.due
        require(same, "the debtor verified other figures", verified=word.outstanding, outstanding=right.outstanding)
        require(word.no_set_off or right.set_off_waived, "the debtor has not waived set-off")
        require(on <= word.valid_until, "the verification has run out", valid_until=word.valid_until)

    def advance(self, facility: Facility, on: Day, funded: bool) -> Advance:
        """The account of this purchase on its first day."""
        zero = self.price.purchased.zero()
        return Advance(
            seller=self.seller,
            lender=self.lender,
            debtor=self.offered.obligor,
            facility=facility.number,
            terms=facility.terms,
            invoice=self.offered.invoice,
            due=self.offered.due,
            price=self.price,
            purchased=self.price.purchased,
            reserve=self.price.reserve,
            principal=self.price.advance,
            fee_open=self.price.fee,
            interest=zero,
            interest_open=zero,
            accrued_to=on,
            collected=zero,
            surplus=zero,
            released=zero,
            relieved=zero,
            credited=self.offered.credited,
            payments=self.offered.payments,
            status=AdvanceStatus.FUNDED if funded else AdvanceStatus.PURCHASED,
        )
