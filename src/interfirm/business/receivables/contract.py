"""Templates: Receivable (the right to be paid) and Verification (the obligor's word on what it owes).

The invoice is evidence, the receivable is the right: a sale moves the holder and nothing else. Whoever may see a choice
here sees all below it, so what was paid for the right stays in the parent (see factoring).
"""

from __future__ import annotations

from interfirm.business.cash.contract import Cash
from interfirm.business.companies.contract import Account, within_day
from interfirm.business.payments.contract import (
    BankEntry,
    Obligation,
    Payment,
    require_end_to_end_id,
    take_in,
)
from interfirm.contracts.language import (
    Day,
    Fallback,
    Money,
    Party,
    Rate,
    Record,
    Ref,
    Template,
    Transaction,
    choice,
    require,
)

LATE_YEAR_DAYS = 365
"""Late-payment interest counts actual days on a year of 365."""


class InvoiceId(Record):
    """What names an invoice for ever: the key that its number was claimed under."""

    tax_id: str
    """The seller's tax number."""
    number: str
    """BT-1."""
    year: int
    """Calendar year of issue."""


class Received(Record):
    """One payment that arrived."""

    end_to_end_id: str
    """Its name."""
    amount: Money
    """How much of it went to this receivable."""
    booked: Day
    """When it was booked."""
    interest: Money
    """Late-payment interest that it bears."""


class Receivable(Template):
    """The right to be paid for one accepted invoice."""

    seller: Party
    """Who sold the goods; sees the right wherever it goes."""
    obligor: Party
    """Who owes."""
    holder: Party
    """Who is owed; changes when the right is sold."""
    payee: Party
    """Whom to pay to be discharged: the holder once it gave notice, until then who was told last."""
    account: Account
    """Where to pay."""
    invoice: InvoiceId
    """The invoice it comes from."""
    issued: Day
    """The invoice's day of issue."""
    gross: Money
    """The invoice's total with tax (BT-112)."""
    order: str
    """The order it was invoiced for (BT-13), if any."""
    face: Money
    """What was payable at acceptance."""
    outstanding: Money
    """What is still to be paid: face less what was credited, paid, discounted and written off; never negative."""
    credited: Money
    """By credit notes since acceptance."""
    paid: Money
    """By payments."""
    discounted: Money
    """Given up for early payment."""
    written_off: Money
    """Given up as lost."""
    disputed: Money
    """The part in dispute: not due, not to be financed."""
    due: Day
    """When it is due."""
    late_rate: Rate
    """Yearly rate of late-payment interest."""
    late_interest: Money
    """Interest on what was paid late, not yet charged or waived."""
    recourse_days: int
    """Days past due from which the holder needs nobody's confirmation."""
    disputed_since: Day | None = None
    """Since when a part is in dispute."""
    round: int = 0
    """How often it went back to its seller."""
    assignable: bool = True
    """Whether it may be sold."""
    set_off_waived: bool = False
    """Whether the obligor gave up setting claims of its own off against it."""
    received: tuple[Received, ...] = ()
    """The payments, in the order they were applied."""

    def signatories(self) -> tuple[Party, ...]:
        """Who owes and who is owed."""
        return (self.obligor, self.holder)

    def observers(self) -> tuple[Party, ...]:
        """The seller, and whom to pay."""
        return (self.seller, self.payee)

    def fallback(self) -> Fallback:
        """Long after it was due the holder does not wait for an obligor that is gone."""
        return Fallback(confirmers=(self.holder,), since=self.due.plus(self.recourse_days).start())

    def ensure(self) -> None:
        """The sums are right, nothing is negative, nobody owes itself."""
        require(self.obligor != self.holder, "nobody owes itself", holder=self.holder)
        require(self.obligor != self.seller, "seller and obligor differ", seller=self.seller)
        require(self.face.minor > 0, "a receivable is more than nothing", face=self.face)
        given = self.credited + self.paid + self.discounted + self.written_off
        require(self.outstanding == self.face - given, "outstanding is face less all reductions", face=self.face)
        for amount in (self.outstanding, self.credited, self.paid, self.discounted, self.written_off):
            require(amount.minor >= 0, "no amount of a receivable is negative", amount=amount)
        arrived = sum((part.amount for part in self.received), self.face.zero())
        require(self.paid == arrived, "paid is the sum of the payments", paid=self.paid, payments=arrived)
        require(self.disputed.minor >= 0 and self.disputed <= self.outstanding, "a dispute is over what is outstanding")
        require((self.disputed.minor > 0) == (self.disputed_since is not None), "a dispute has a first day")
        require(self.late_interest.minor >= 0 and self.late_rate.parts_per_million >= 0, "interest is not negative")
        require(self.recourse_days >= 0 and self.round >= 0, "days and rounds are counted forward")

    def reference(self) -> str:
        """What payments name it by; a number alone would be one seller's."""
        return f"{self.invoice.tax_id}/{self.invoice.year}/{self.invoice.number}"

    def lowered(self) -> Receivable:
        """The same right with outstanding recomputed; a dispute never exceeds it."""
        outstanding = self.face - self.credited - self.paid - self.discounted - self.written_off
        require(outstanding.minor >= 0, "no more is taken off than is outstanding", over=-outstanding)
        disputed = self.disputed if self.disputed <= outstanding else outstanding
        since = self.disputed_since if disputed.minor > 0 else None
        return self.replace(outstanding=outstanding, disputed=disputed, disputed_since=since)

    def after(self, end_to_end_id: str, amount: Money, booked: Day) -> Receivable:
        """The right after a payment, with the interest that a late one bears."""
        require(amount.minor > 0, "a payment is more than nothing", amount=amount)
        require(amount <= self.outstanding, "no more is applied than is outstanding", amount=amount)
        late_days = max(self.due.days_until(booked), 0)
        interest = amount.interest(self.late_rate, days=late_days, year_days=LATE_YEAR_DAYS)
        part = Received(end_to_end_id=end_to_end_id, amount=amount, booked=booked, interest=interest)
        after = self.replace(
            paid=self.paid + amount,
            received=(*self.received, part),
            late_interest=self.late_interest + interest,
        )
        return after.lowered()

    # who is owed ------------------------------------------------------------------------------------------------------

    @choice(by=("holder", "to"))
    def assign(self, tx: Transaction, to: Party) -> Ref[Receivable]:
        """Give the right to `to`. What was paid for it is nobody's business here."""
        require(self.assignable, "the receivable may not be assigned")
        require(to != self.holder, "a receivable is assigned to another party", to=to)
        require(self.outstanding.minor > 0, "nothing is outstanding")
        return tx.create(self.replace(holder=to))

    @choice(by="holder")
    def notify(self, tx: Transaction, account: Account) -> Ref[Receivable]:
        """Tell the obligor to pay the holder: from here on paying anyone else does not discharge it."""
        return tx.create(self.replace(payee=self.holder, account=account))

    @choice(by=("holder", "to"))
    def recourse(self, tx: Transaction, to: Party, account: Account) -> Ref[Receivable]:
        """Give the right back to its seller; a sale after this is a new round."""
        require(to == self.seller and to != self.holder, "recourse gives the right back to its seller", to=to)
        return tx.create(self.replace(holder=to, payee=to, account=account, round=self.round + 1))

    # what is owed -----------------------------------------------------------------------------------------------------

    @choice(by=("seller", "holder"))
    def reduce(self, tx: Transaction, amount: Money) -> Ref[Receivable]:
        """Take a credit note off."""
        require(amount.minor > 0, "a credit is more than nothing", amount=amount)
        return tx.create(self.replace(credited=self.credited + amount).lowered())

    @choice(by="holder")
    def discount(self, tx: Transaction, amount: Money) -> Ref[Receivable]:
        """Give a part up for early payment."""
        require(amount.minor > 0, "a discount is more than nothing", amount=amount)
        return tx.create(self.replace(discounted=self.discounted + amount).lowered())

    @choice(by="holder")
    def write_off(self, tx: Transaction, reason: str) -> Ref[Receivable]:
        """Give what is outstanding up as lost; it stays provable."""
        require(reason != "", "a write-off has a reason")
        require(self.outstanding.minor > 0, "nothing is outstanding")
        return tx.create(self.replace(written_off=self.written_off + self.outstanding).lowered())

    # payment ----------------------------------------------------------------------------------------------------------

    @choice(by=("holder", "payee"))
    def pay_down(self, tx: Transaction, entry: Ref[BankEntry], amount: Money) -> Ref[Receivable]:
        """Apply `amount` of a booked transfer from the obligor to whom it is to pay; the rest becomes its credit."""
        found = tx.fetch(BankEntry, entry)
        require(found.creditor_account == self.account.digest, "the money went to another account")
        take_in(tx, found, self.obligor, self.payee, self.reference(), amount)
        return tx.create(self.after(found.end_to_end_id, amount, found.booked))

    @choice(by=("holder", "payee"))
    def pay_from(self, tx: Transaction, payment: Ref[Payment], amount: Money) -> Ref[Receivable]:
        """Apply a part of a settled payment that is not allocated yet (a credit balance, one transfer for several)."""
        found = tx.fetch(Payment, payment)
        require(found.payee == self.payee, "the payment went to someone else", payee=found.payee)
        require(found.payer == self.obligor, "the payment came from someone else", payer=found.payer)
        tx.exercise(payment, Payment.allocate, reference=self.reference(), amount=amount)
        booked = self.due if found.booked is None else found.booked
        return tx.create(self.after(found.end_to_end_id, amount, booked))

    @choice(by="obligor")
    def pay_in_cash(
        self, tx: Transaction, cash: Ref[Cash], amount: Money, end_to_end_id: str, on: Day
    ) -> Ref[Receivable]:
        """Pay with cash on the ledger, in the same transaction."""
        within_day(tx, on)
        require_end_to_end_id(end_to_end_id)
        tx.exercise(cash, Cash.move, to=self.payee, amount=amount)
        return tx.create(self.after(end_to_end_id, amount, on))

    @choice(by="holder")
    def acknowledge(self, tx: Transaction, amount: Money, end_to_end_id: str, booked: Day) -> Ref[Receivable]:
        """The holder's own word that it was paid, by whomever."""
        require_end_to_end_id(end_to_end_id)
        tx.not_before(booked)
        return tx.create(self.after(end_to_end_id, amount, booked))

    @choice(by="holder")
    def reopen(self, tx: Transaction, payment: Ref[Payment]) -> Ref[Receivable]:
        """The bank returned a payment: what it had paid here is outstanding again."""
        found = tx.fetch(Payment, payment)
        amount = tx.exercise(payment, Payment.release, reference=self.reference())
        kept = tuple([part for part in self.received if part.end_to_end_id != found.end_to_end_id])
        gone = [part.interest for part in self.received if part.end_to_end_id == found.end_to_end_id]
        require(len(gone) > 0, "the payment was not applied here", end_to_end_id=found.end_to_end_id)
        interest = self.late_interest - sum((part for part in gone), self.face.zero())
        interest = interest if interest.minor > 0 else self.face.zero()
        return tx.create(self.replace(paid=self.paid - amount, received=kept, late_interest=interest).lowered())

    # dispute and delay ------------------------------------------------------------------------------------------------

    @choice(by="obligor")
    def dispute(self, tx: Transaction, amount: Money, on: Day) -> Ref[Receivable]:
        """Dispute a part; it is not due until the dispute ends."""
        within_day(tx, on)
        require(amount.minor > 0, "a dispute is over more than nothing", amount=amount)
        require(self.disputed + amount <= self.outstanding, "no more is disputed than is outstanding", amount=amount)
        since = on if self.disputed_since is None else self.disputed_since
        return tx.create(self.replace(disputed=self.disputed + amount, disputed_since=since))

    @choice(by="obligor")
    def end_dispute(self, tx: Transaction, amount: Money) -> Ref[Receivable]:
        """A dispute is over: what it was over is due, unless it is credited."""
        require(amount.minor > 0, "a dispute is over more than nothing", amount=amount)
        rest = self.disputed.zero() if self.disputed <= amount else self.disputed - amount
        since = self.disputed_since if rest.minor > 0 else None
        return tx.create(self.replace(disputed=rest, disputed_since=since))

    @choice(by="holder")
    def charge_late_interest(self, tx: Transaction, due: Day) -> Ref[Obligation]:
        """Make a debt of the interest on what was paid late."""
        require(self.late_interest.minor > 0, "no late-payment interest has accrued")
        tx.create(self.replace(late_interest=self.late_interest.zero()))
        return tx.create(
            Obligation(
                obligor=self.obligor,
                obligee=self.holder,
                face=self.late_interest,
                due=due,
                reason="late-interest",
                reference=self.reference(),
            )
        )

    @choice(by="holder")
    def waive_late_interest(self, tx: Transaction) -> Ref[Receivable]:
        """Give the interest up."""
        require(self.late_interest.minor > 0, "no late-payment interest has accrued")
        return tx.create(self.replace(late_interest=self.late_interest.zero()))


class Verification(Template):
    """The obligor's word on what it owes; a lender reads it before it buys."""

    obligor: Party
    """Who owes and says so."""
    holder: Party
    """Who is owed, and may show this."""
    invoice: InvoiceId
    """For which invoice."""
    outstanding: Money
    """How much is owed."""
    due: Day
    """When."""
    no_set_off: bool
    """Whether the obligor will not set claims of its own off against it."""
    valid_until: Day
    """Last day on which it may be relied on."""

    def signatories(self) -> tuple[Party, ...]:
        """The obligor."""
        return (self.obligor,)

    def observers(self) -> tuple[Party, ...]:
        """The holder."""
        return (self.holder,)

    def ensure(self) -> None:
        """It is about something owed to another."""
        require(self.obligor != self.holder, "nobody owes itself")
        require(self.outstanding.minor > 0, "there is something to verify", outstanding=self.outstanding)

    @choice(by="obligor")
    def withdraw(self, tx: Transaction) -> None:
        """Take the word back, as long as nobody relied on it."""
