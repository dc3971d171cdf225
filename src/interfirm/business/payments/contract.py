"""Templates: BankEntry and BankReport (what a bank signs), Payment (one transfer), Obligation (a plain debt).

A bank sees what it signed and that it was read, never what it was read for. An EndToEndId is claimed by the payee when
the payment is settled, whoever's evidence it is, so that no transfer counts twice.
"""

from __future__ import annotations

from interfirm.business.cash.contract import Cash
from interfirm.business.companies.contract import within_day
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

NOT_PROVIDED = "NOTPROVIDED"
"""What ISO 20022 writes where the payer gave no EndToEndId; it names nothing."""


def require_end_to_end_id(text: str) -> None:
    """Refuse what does not name a transfer (ISO 20022 Max35Text)."""
    named = text != "" and text != NOT_PROVIDED and len(text) <= 35
    require(named, "a transfer is named by an EndToEndId of up to 35 characters", end_to_end_id=text)


class BankEntry(Template):
    """One booked entry of an account statement (camt.053, camt.054), signed by the bank."""

    bank: Party
    """Who signs."""
    payer: Party
    """Debtor."""
    payee: Party
    """Creditor."""
    amount: Money
    """How much was booked."""
    end_to_end_id: str
    """What the payer called the transfer."""
    booked: Day
    """Booking date."""
    value: Day
    """Value date."""
    debtor_account: Hash
    """Hash of the account that was debited."""
    creditor_account: Hash
    """Hash of the account that was credited."""
    reference: str
    """The bank's own reference of the entry (AcctSvcrRef)."""
    entry: Hash
    """SHA-256 of the statement that books it."""

    def signatories(self) -> tuple[Party, ...]:
        """The bank."""
        return (self.bank,)

    def observers(self) -> tuple[Party, ...]:
        """Both ends of the transfer."""
        return (self.payer, self.payee)

    def ensure(self) -> None:
        """The entry names a transfer of more than nothing between two parties."""
        require(self.amount.minor > 0, "an entry is more than nothing", amount=self.amount)
        require(self.payer != self.payee, "payer and payee differ")
        require_end_to_end_id(self.end_to_end_id)


class ReportKind(Code):
    """What a bank says of a transfer that is not booked, or no longer."""

    PENDING = "pending"
    REJECTED = "rejected"
    RETURNED = "returned"


class BankReport(Template):
    """A bank's word on a transfer: taken up or rejected (pain.002), or returned after booking (pacs.004)."""

    bank: Party
    """Who signs."""
    payer: Party
    """Debtor."""
    payee: Party
    """Creditor."""
    amount: Money
    """How much was to be transferred."""
    end_to_end_id: str
    """What the payer called the transfer."""
    kind: ReportKind
    """What happened."""
    day: Day
    """When."""
    reason: str = ""
    """ISO 20022 external reason code."""

    def signatories(self) -> tuple[Party, ...]:
        """The bank."""
        return (self.bank,)

    def observers(self) -> tuple[Party, ...]:
        """Both ends of the transfer."""
        return (self.payer, self.payee)

    def ensure(self) -> None:
        """The report names a transfer."""
        require_end_to_end_id(self.end_to_end_id)


class PaymentStatus(Code):
    """How far a payment got; allocated is derived, not stored."""

    INSTRUCTED = "instructed"
    PENDING = "pending"
    SETTLED = "settled"
    FAILED = "failed"
    RETURNED = "returned"


class Allocation(Record):
    """A part of a payment and the debt it went to."""

    reference: str
    """The invoice or debt."""
    amount: Money
    """How much of the payment."""


class Payment(Template):
    """One transfer between two parties; what is not allocated is the payer's credit balance with the payee."""

    payer: Party
    """Who pays."""
    payee: Party
    """Who is paid."""
    amount: Money
    """How much."""
    end_to_end_id: str
    """What the payer called the transfer."""
    status: PaymentStatus = PaymentStatus.INSTRUCTED
    """How far it got."""
    remittance: str = ""
    """What the payer says it is for."""
    bank: Party | None = None
    """Whose evidence settled it; None is the payee's own word."""
    booked: Day | None = None
    """When it was booked."""
    allocations: tuple[Allocation, ...] = ()
    """The debts it went to."""
    settled_version: int = 0
    """0 until settled, then 1, 2, ...; the first takes the claim."""
    reason: str = ""
    """Why it failed or was returned."""

    def signatories(self) -> tuple[Party, ...]:
        """The payer; once settled also the payee, who owes what is not allocated."""
        return (self.payer,) if self.settled_version == 0 else (self.payer, self.payee)

    def observers(self) -> tuple[Party, ...]:
        """The payee."""
        return (self.payee,)

    def claims(self) -> tuple[Claim, ...]:
        """Settling takes the EndToEndId among the payee's payments."""
        if self.settled_version != 1:
            return ()
        return (Claim(family="payment.end-to-end-id", owner=self.payee, key=(self.end_to_end_id,)),)

    def ensure(self) -> None:
        """No more is allocated than was paid, and nothing before it was."""
        require(self.amount.minor > 0, "a payment is more than nothing", amount=self.amount)
        require(self.payer != self.payee, "payer and payee differ")
        require_end_to_end_id(self.end_to_end_id)
        settled = self.status == PaymentStatus.SETTLED or self.status == PaymentStatus.RETURNED
        require(settled == (self.settled_version > 0), "only a settled payment has settled versions")
        require(settled == (self.booked is not None), "a settled payment has a booking day")
        for allocation in self.allocations:
            require(allocation.amount.minor > 0, "an allocation is more than nothing", amount=allocation.amount)
        require(self.unallocated().minor >= 0, "no more is allocated than was paid", amount=self.amount)
        require(settled or len(self.allocations) == 0, "only a settled payment is allocated")

    def unallocated(self) -> Money:
        """What is left of the payment: the payer's credit balance."""
        return self.amount - sum((part.amount for part in self.allocations), self.amount.zero())

    def open(self) -> None:
        """Refuse unless the transfer is on its way."""
        on_its_way = self.status == PaymentStatus.INSTRUCTED or self.status == PaymentStatus.PENDING
        require(on_its_way, "the payment is not on its way", status=self.status)

    def reported(self, tx: Transaction, report: Ref[BankReport], kind: ReportKind) -> BankReport:
        """A bank's report of this transfer, of the kind wanted."""
        found = tx.fetch(BankReport, report)
        require(found.kind == kind, "the bank reports something else", kind=found.kind)
        same = found.payer == self.payer and found.payee == self.payee and found.amount == self.amount
        require(same and found.end_to_end_id == self.end_to_end_id, "the report is of another transfer")
        return found

    @choice(by="payer")
    def acknowledge(self, tx: Transaction, report: Ref[BankReport]) -> Ref[Payment]:
        """The bank has taken the instruction up."""
        require(self.status == PaymentStatus.INSTRUCTED, "the payment was not just instructed", status=self.status)
        self.reported(tx, report, ReportKind.PENDING)
        return tx.create(self.replace(status=PaymentStatus.PENDING))

    @choice(by="payer")
    def fail(self, tx: Transaction, report: Ref[BankReport]) -> Ref[Payment]:
        """The bank has rejected the instruction."""
        self.open()
        found = self.reported(tx, report, ReportKind.REJECTED)
        return tx.create(self.replace(status=PaymentStatus.FAILED, reason=found.reason))

    @choice(by="payee")
    def settle(self, tx: Transaction, entry: Ref[BankEntry]) -> Ref[Payment]:
        """The bank's entry shows that the money arrived."""
        self.open()
        found = tx.fetch(BankEntry, entry)
        same = found.payer == self.payer and found.payee == self.payee and found.amount == self.amount
        require(same and found.end_to_end_id == self.end_to_end_id, "the entry is of another transfer")
        return tx.create(
            self.replace(status=PaymentStatus.SETTLED, settled_version=1, booked=found.booked, bank=found.bank)
        )

    @choice(by="payee")
    def confirm(self, tx: Transaction, booked: Day) -> Ref[Payment]:
        """The payee says that the money arrived."""
        self.open()
        tx.not_before(booked)
        return tx.create(self.replace(status=PaymentStatus.SETTLED, settled_version=1, booked=booked))

    @choice(by="payee")
    def allocate(self, tx: Transaction, reference: str, amount: Money) -> Ref[Payment]:
        """Give a part of what is left to a debt; the payer confirms."""
        require(self.status == PaymentStatus.SETTLED, "the payment is not settled", status=self.status)
        return tx.create(
            self.replace(
                allocations=(*self.allocations, Allocation(reference=reference, amount=amount)),
                settled_version=self.settled_version + 1,
            )
        )

    @choice(by="payee")
    def refund(self, tx: Transaction, due: Day) -> Ref[Obligation]:
        """Owe the credit balance back."""
        require(self.status == PaymentStatus.SETTLED, "the payment is not settled", status=self.status)
        rest = self.unallocated()
        require(rest.minor > 0, "there is no credit balance")
        part = Allocation(reference="refund", amount=rest)
        tx.create(self.replace(allocations=(*self.allocations, part), settled_version=self.settled_version + 1))
        return tx.create(
            Obligation(
                obligor=self.payee,
                obligee=self.payer,
                face=rest,
                due=due,
                reason="refund",
                reference=self.end_to_end_id,
            )
        )

    @choice(by="payee")
    def bounce(self, tx: Transaction, report: Ref[BankReport]) -> Ref[Payment]:
        """The bank took the money back; what it had paid is open again (see Receivable.reopen)."""
        require(self.status == PaymentStatus.SETTLED, "the payment is not settled", status=self.status)
        found = self.reported(tx, report, ReportKind.RETURNED)
        return tx.create(
            self.replace(status=PaymentStatus.RETURNED, reason=found.reason, settled_version=self.settled_version + 1)
        )

    @choice(by="payee")
    def release(self, tx: Transaction, reference: str) -> Money:
        """Take a returned payment off one debt; answers how much of it had been allocated there."""
        require(self.status == PaymentStatus.RETURNED, "the payment was not returned", status=self.status)
        kept = tuple([part for part in self.allocations if part.reference != reference])
        require(len(kept) < len(self.allocations), "nothing was allocated to this debt", reference=reference)
        after = self.replace(allocations=kept, settled_version=self.settled_version + 1)
        tx.create(after)
        return after.unallocated() - self.unallocated()


def take_in(
    tx: Transaction, found: BankEntry, payer: Party, payee: Party, reference: str, amount: Money
) -> Ref[Payment]:
    """Settle a bank entry between two parties and allocate `amount` of it to one debt; the rest stays as credit."""
    require(found.payee == payee, "the entry is of money paid to someone else", payee=found.payee)
    require(found.payer == payer, "the entry is of money paid by someone else", payer=found.payer)
    require(amount <= found.amount, "the entry does not cover the amount", amount=amount, entry=found.amount)
    return tx.create(
        Payment(
            payer=payer,
            payee=payee,
            amount=found.amount,
            end_to_end_id=found.end_to_end_id,
            status=PaymentStatus.SETTLED,
            remittance=reference,
            bank=found.bank,
            booked=found.booked,
            allocations=(Allocation(reference=reference, amount=amount),),
            settled_version=1,
        )
    )


class Method(Code):
    """How a debt is to be paid."""

    BANK = "bank"
    CASH = "cash"


class PartStatus(Code):
    """How far one payment towards a debt got."""

    PENDING = "pending"
    SETTLED = "settled"
    FAILED = "failed"


class Part(Record):
    """One payment towards a debt."""

    end_to_end_id: str
    """Its name."""
    amount: Money
    """How much."""
    status: PartStatus
    """How far it got."""


class Obligation(Template):
    """A plain debt: who owes whom how much by when, and the payments towards it."""

    obligor: Party
    """Who owes."""
    obligee: Party
    """Who is owed."""
    face: Money
    """How much in all."""
    due: Day
    """By when."""
    reason: str
    """Why: dilution, late-interest, refund, ..."""
    reference: str
    """The document or contract it comes from."""
    method: Method = Method.BANK
    """How it is to be paid."""
    parts: tuple[Part, ...] = ()
    """The payments towards it."""

    def signatories(self) -> tuple[Party, ...]:
        """Both."""
        return (self.obligor, self.obligee)

    def ensure(self) -> None:
        """Payments on their way or made never exceed the debt."""
        require(self.obligor != self.obligee, "obligor and obligee differ")
        require(self.face.minor > 0, "a debt is more than nothing", face=self.face)
        require(self.uncovered().minor >= 0, "the debt would be over-paid", face=self.face)

    def uncovered(self) -> Money:
        """What no payment is made or on its way for."""
        return self.face - sum(
            (part.amount for part in self.parts if part.status != PartStatus.FAILED), self.face.zero()
        )

    def outstanding(self) -> Money:
        """What is still owed."""
        return self.face - sum(
            (part.amount for part in self.parts if part.status == PartStatus.SETTLED), self.face.zero()
        )

    def marked(self, end_to_end_id: str, status: PartStatus) -> Obligation:
        """The debt with one pending payment marked."""
        pending = [part for part in self.parts if part.status == PartStatus.PENDING]
        named = [part for part in pending if part.end_to_end_id == end_to_end_id]
        require(len(named) == 1, "there is no such pending payment", end_to_end_id=end_to_end_id)
        return self.replace(
            parts=tuple([part.replace(status=status) if part == named[0] else part for part in self.parts])
        )

    @choice(by="obligor")
    def instruct(self, tx: Transaction, end_to_end_id: str, amount: Money) -> Ref[Obligation]:
        """Send a bank transfer towards the debt."""
        require(self.method == Method.BANK, "the debt is paid another way", method=self.method)
        require_end_to_end_id(end_to_end_id)
        require(amount.minor > 0, "a payment is more than nothing", amount=amount)
        names = [part.end_to_end_id for part in self.parts]
        require(end_to_end_id not in names, "the EndToEndId is used already", end_to_end_id=end_to_end_id)
        part = Part(end_to_end_id=end_to_end_id, amount=amount, status=PartStatus.PENDING)
        return tx.create(self.replace(parts=(*self.parts, part)))

    @choice(by="obligee")
    def settle(self, tx: Transaction, entry: Ref[BankEntry]) -> Ref[Obligation]:
        """The bank's entry shows that a pending payment arrived."""
        found = tx.fetch(BankEntry, entry)
        after = self.marked(found.end_to_end_id, PartStatus.SETTLED)
        amount = self.outstanding() - after.outstanding()
        require(found.amount == amount, "another amount was instructed", instructed=amount, booked=found.amount)
        take_in(tx, found, self.obligor, self.obligee, self.reference, amount)
        return tx.create(after)

    @choice(by="obligor")
    def fail(self, tx: Transaction, report: Ref[BankReport]) -> Ref[Obligation]:
        """The bank has rejected a pending payment."""
        found = tx.fetch(BankReport, report)
        require(found.kind == ReportKind.REJECTED, "the bank reports something else", kind=found.kind)
        after = self.marked(found.end_to_end_id, PartStatus.FAILED)
        same = found.payer == self.obligor and found.payee == self.obligee
        freed = after.uncovered() - self.uncovered()
        require(same and found.amount == freed, "the report is of another transfer", amount=found.amount)
        return tx.create(after)

    @choice(by="obligor")
    def pay(self, tx: Transaction, cash: Ref[Cash], amount: Money, on: Day) -> Ref[Obligation]:
        """Pay with cash on the ledger."""
        require(self.method == Method.CASH, "the debt is paid another way", method=self.method)
        within_day(tx, on)
        tx.exercise(cash, Cash.move, to=self.obligee, amount=amount)
        part = Part(end_to_end_id=f"cash {len(self.parts) + 1}", amount=amount, status=PartStatus.SETTLED)
        return tx.create(self.replace(parts=(*self.parts, part)))

    @choice(by=("obligor", "obligee"))
    def change_method(self, tx: Transaction, method: Method) -> Ref[Obligation]:
        """Agree on another way to pay, as long as no payment is made or on its way."""
        require(self.uncovered() == self.face, "the way to pay is fixed by the first payment")
        return tx.create(self.replace(method=method))

    @choice(by=("obligor", "obligee"))
    def novate_face(self, tx: Transaction, face: Money) -> Ref[Obligation]:
        """Agree on another amount, or, before any payment, another currency."""
        return tx.create(self.replace(face=face))

    @choice(by=("obligor", "obligee"))
    def novate_due(self, tx: Transaction, due: Day) -> Ref[Obligation]:
        """Agree on another due day."""
        return tx.create(self.replace(due=due))

    @choice(by=("obligor", "obligee", "to"))
    def novate_obligor(self, tx: Transaction, to: Party) -> Ref[Obligation]:
        """Let another party owe the debt; no payment may be on its way."""
        self.require_at_rest()
        return tx.create(self.replace(obligor=to))

    @choice(by=("obligor", "obligee", "to"))
    def novate_obligee(self, tx: Transaction, to: Party) -> Ref[Obligation]:
        """Let another party be owed the debt; no payment may be on its way."""
        self.require_at_rest()
        return tx.create(self.replace(obligee=to))

    def require_at_rest(self) -> None:
        """Refuse while a payment is on its way."""
        pending = [part for part in self.parts if part.status == PartStatus.PENDING]
        require(len(pending) == 0, "a payment is on its way", payments=len(pending))
