"""Templates: Invoice, Dispute and AutoAcceptance; with CreditNote (credit_note.py) the way into this folder.

The status that is stored is the document's; whether it is paid or credited follows from the receivable, and who holds
the right is the receivable's affair. Accepting an invoice makes the receivable in the same transaction.
"""

from __future__ import annotations

from interfirm.business.agreements.contract import Agreement
from interfirm.business.companies.contract import Account
from interfirm.business.invoices.answers import OPEN, UNANSWERED, Action, InvoiceStatus, Objection, Reason
from interfirm.business.invoices.credit_note import CREDIT_NOTE, CreditNote, number_claim
from interfirm.business.invoices.document import Document, require_document
from interfirm.business.invoices.measures import no_dearer, working_days_after
from interfirm.business.payments.contract import Obligation
from interfirm.business.receivables.contract import InvoiceId, Receivable
from interfirm.contracts.language import (
    Attachment,
    Claim,
    Code,
    Day,
    Fallback,
    Hash,
    Money,
    Party,
    Private,
    Rate,
    Record,
    Ref,
    Template,
    Transaction,
    choice,
    require,
)

RESPONSE_DAYS = 30
"""From here on the buyer needs nobody's confirmation to answer."""


class ExternalNumber(Record):
    """What one party calls the document in its own books."""

    party: Party
    """Whose books."""
    number: str
    """The number there."""


class Credit(Record):
    """A credit note that was given on an invoice."""

    number: str
    """The credit note's number."""
    amount: Money
    """How much."""


class Accepted(Record):
    """What accepting leaves behind."""

    invoice: Ref[Invoice]
    """The accepted invoice."""
    receivable: Ref[Receivable] | None
    """The right to be paid; none where nothing is payable."""


class Credited(Record):
    """What a credit note leaves behind."""

    invoice: Ref[Invoice]
    """The invoice."""
    credit_note: Ref[CreditNote]
    """The credit note."""
    receivable: Ref[Receivable] | None
    """The reduced right, if there is one."""
    refund: Ref[Obligation] | None
    """What the seller owes back, where more was credited than was still outstanding."""


class Invoice(Template):
    """An invoice and what its buyer says to it."""

    seller: Party
    """Who invoices."""
    buyer: Party
    """Who is to pay."""
    document: Document
    """What it says; never changes."""
    number: str
    """BT-1, as in the document."""
    payable: Money
    """What is payable after credit notes."""
    due: Day
    """When."""
    account: Account
    """Where to pay; as in the document, if that says so."""
    late_rate: Rate
    """Yearly rate of late-payment interest: the reference rate and the margin above it."""
    exact: bool = True
    """Whether the document was made here, so that its arithmetic is exact, or imported."""
    status: InvoiceStatus = InvoiceStatus.ISSUED
    """Where the document stands."""
    version: int = 1
    """Raised by every change; the first takes the number."""
    agreement: Ref[Agreement] | None = None
    """The agreement whose prices and terms of payment hold."""
    assignable: bool = True
    """Whether the right to be paid may be sold."""
    recourse_days: int = 60
    """Days past due from which the right's holder needs nobody's confirmation."""
    silence_days: int = 3
    """Working days after which the seller may escalate (Peppol BIS 63)."""
    escalated: bool = False
    """Whether it did."""
    objection: Objection | None = None
    """What the buyer objects to."""
    acceptable: Money | None = None
    """What the buyer accepts to pay, if it accepted conditionally."""
    credits: tuple[Credit, ...] = ()
    """The credit notes given."""
    attachments: tuple[Attachment, ...] = ()
    """Files that belong to it, the original first (BG-24)."""
    external: tuple[ExternalNumber, ...] = ()
    """Its numbers in the parties' own books."""
    seller_contact: Private[str] | None = None
    """BG-6."""
    buyer_contact: Private[str] | None = None
    """BG-9."""
    internal_note: Private[str] | None = None
    """The seller's own."""

    def signatories(self) -> tuple[Party, ...]:
        """The seller; from the buyer's first answer on both."""
        return (self.seller,) if self.status == InvoiceStatus.ISSUED else (self.seller, self.buyer)

    def observers(self) -> tuple[Party, ...]:
        """The buyer."""
        return (self.buyer,)

    def fallback(self) -> Fallback:
        """An answer or rejection does not wait for ever for the seller, nor a credit for a buyer that is gone."""
        if self.status in OPEN:
            return Fallback(confirmers=(self.buyer,), since=self.document.issued.plus(RESPONSE_DAYS).start())
        return Fallback(confirmers=(self.seller,), since=self.due.plus(self.recourse_days).start())

    def claims(self) -> tuple[Claim, ...]:
        """Issuing takes the number among the seller's of the year."""
        return (number_claim(self.seller, self.document),) if self.version == 1 else ()

    def ensure(self) -> None:
        """The document's arithmetic holds, and what is stored beside it agrees with it."""
        require(self.seller != self.buyer, "seller and buyer differ")
        require(not self.document.is_credit(), "a credit note is no invoice", kind=self.document.kind)
        require(self.document.totals.payable.minor >= 0, "BT-115 is not negative", payable=self.document.totals.payable)
        require_document(self.document, self.exact)
        require(self.number == self.document.number, "the number is the document's", number=self.number)
        require(self.due == self.document.due_day(), "the due day is the document's", due=self.due)
        stated = self.document.account
        require(stated is None or stated == self.account, "the account is the document's", account=self.account.iban)
        require(self.version > 0 and self.recourse_days >= 0 and self.silence_days >= 0, "counts are not negative")
        require(self.version > 1 or self.status == InvoiceStatus.ISSUED, "an invoice begins with its issue")
        require(self.late_rate.parts_per_million >= 0, "interest is not negative")
        credited = self.credited()
        require(credited <= self.document.totals.gross, "no more is credited than invoiced", credited=credited)
        rest = self.document.totals.payable - credited
        rest = rest if rest.minor > 0 else rest.zero()
        require(self.payable == rest, "payable is what was not credited", payable=self.payable, computed=rest)

    def credited(self) -> Money:
        """The sum of the credit notes."""
        return sum((credit.amount for credit in self.credits), self.document.totals.payable.zero())

    def key(self) -> InvoiceId:
        """What names the invoice for ever."""
        issued = self.document.issued
        return InvoiceId(tax_id=self.document.seller.tax_id, number=self.number, year=issued.year)

    def require_open(self) -> None:
        """Refuse once the buyer has decided."""
        require(self.status in OPEN, "the buyer has decided already", status=self.status)

    def next_version(self, tx: Transaction, changed: Invoice) -> Ref[Invoice]:
        """The next version of the invoice."""
        return tx.create(changed.replace(version=self.version + 1))

    # the buyer's answers ----------------------------------------------------------------------------------------------

    @choice(by="buyer")
    def respond(self, tx: Transaction, status: InvoiceStatus) -> Ref[Invoice]:
        """Say that it was received, or is being worked on: forward only."""
        require(self.status in UNANSWERED, "only an invoice without objection moves on", status=self.status)
        require(status in UNANSWERED, "this is an answer of another kind", status=status)
        forward = UNANSWERED.index(self.status) < UNANSWERED.index(status)
        require(forward, "answers go forward only", status=self.status, asked=status)
        return self.next_version(tx, self.replace(status=status))

    @choice(by="buyer")
    def query(self, tx: Transaction, reason: Reason, action: Action, note: Private[str] | None) -> Ref[Invoice]:
        """Object, and ask for something."""
        require(self.status in UNANSWERED, "an objection is raised once at a time", status=self.status)
        require(reason != Reason.NONE, "an objection has a reason", reason=reason)
        objection = Objection(reason=reason, action=action, note=note)
        return self.next_version(tx, self.replace(status=InvoiceStatus.QUERIED, objection=objection))

    @choice(by="buyer")
    def accept_conditionally(self, tx: Transaction, acceptable: Money, reason: Reason, action: Action) -> Ref[Invoice]:
        """Accept to pay a lower amount; the seller credits the rest, or opens a case."""
        require(self.status in OPEN, "the buyer has decided already", status=self.status)
        require(acceptable.minor >= 0, "an amount to pay is not negative", acceptable=acceptable)
        require(acceptable <= self.payable, "the condition exceeds what is payable", payable=self.payable)
        require(reason != Reason.NONE, "a condition has a reason", reason=reason)
        objection = Objection(reason=reason, action=action)
        status = InvoiceStatus.COND_ACCEPTED
        return self.next_version(tx, self.replace(status=status, objection=objection, acceptable=acceptable))

    @choice(by="buyer")
    def reject(self, tx: Transaction, reason: Reason) -> Ref[Invoice]:
        """Turn it down; no right to be paid comes of it."""
        self.require_open()
        require(reason != Reason.NONE, "a rejection has a reason", reason=reason)
        objection = Objection(reason=reason, action=Action.NONE)
        return self.next_version(tx, self.replace(status=InvoiceStatus.REJECTED, objection=objection))

    @choice(by="buyer")
    def accept(self, tx: Transaction, set_off_waived: bool) -> Accepted:
        """Owe what is payable: makes the receivable in the same transaction."""
        self.require_open()
        settled = self.objection is None or self.objection.dealt_with
        require(settled, "an objection is answered or credited first", status=self.status)
        if self.agreement is not None:
            self.require_agreed(tx.fetch(Agreement, self.agreement))
        invoice = self.next_version(tx, self.replace(status=InvoiceStatus.ACCEPTED))
        if self.payable.minor == 0:
            return Accepted(invoice=invoice, receivable=None)
        return Accepted(invoice=invoice, receivable=tx.create(self.receivable(set_off_waived)))

    def receivable(self, set_off_waived: bool) -> Receivable:
        """The right to be paid what is payable."""
        zero = self.payable.zero()
        return Receivable(
            seller=self.seller,
            obligor=self.buyer,
            holder=self.seller,
            payee=self.seller,
            account=self.account,
            invoice=self.key(),
            issued=self.document.issued,
            gross=self.document.totals.gross,
            order=self.document.order,
            face=self.payable,
            outstanding=self.payable,
            credited=zero,
            paid=zero,
            discounted=zero,
            written_off=zero,
            disputed=zero,
            due=self.due,
            late_rate=self.late_rate,
            late_interest=zero,
            recourse_days=self.recourse_days,
            assignable=self.assignable,
            set_off_waived=set_off_waived,
        )

    def require_agreed(self, agreement: Agreement) -> None:
        """Refuse an earlier due day than agreed, and prices above those agreed by more than the tolerance."""
        parties = self.seller in agreement.parties and self.buyer in agreement.parties
        require(parties, "the agreement is between others", agreement=agreement.number)
        agreement.require_in_effect(self.document.issued)
        agreed_due = self.document.issued.plus(agreement.terms.payment_days)
        require(agreed_due <= self.due, "the invoice is due before the agreed day", due=self.due, agreed=agreed_due)
        tolerance = Rate(0) if agreement.terms.tolerance is None else agreement.terms.tolerance
        for line in self.document.lines:
            term = agreement.price_of(line.item)
            if term is not None:
                require(term.unit == line.quantity.unit, "another unit was agreed", line=line.id, unit=term.unit)
                fits = no_dearer(line.price, term.price, tolerance)
                require(fits, "another price was agreed", line=line.id, price=line.price, agreed=term.price)

    # the seller's answers ---------------------------------------------------------------------------------------------

    @choice(by="seller")
    def answer(self, tx: Transaction, note: Private[str] | None) -> Ref[Invoice]:
        """Answer an objection; a queried invoice is being worked on again."""
        objection = None if self.objection is None else self.objection.replace(dealt_with=True, note=note)
        objected = self.status == InvoiceStatus.QUERIED or self.status == InvoiceStatus.COND_ACCEPTED
        require(objected and objection is not None, "there is no objection to answer", status=self.status)
        status = InvoiceStatus.IN_PROCESS if self.status == InvoiceStatus.QUERIED else self.status
        return self.next_version(tx, self.replace(status=status, objection=objection))

    @choice(by="seller")
    def escalate(self, tx: Transaction) -> Ref[Invoice]:
        """Note that the buyer has been silent for too long."""
        require(self.status in UNANSWERED and not self.escalated, "there is no silence to escalate", status=self.status)
        tx.not_before(working_days_after(self.document.issued, self.silence_days).plus(1))
        return self.next_version(tx, self.replace(escalated=True))

    @choice(by=("seller", "holder"))
    def credit(
        self, tx: Transaction, note: Document, exact: bool, receivable: Ref[Receivable] | None, holder: Party | None
    ) -> Credited:
        """Give a credit note; once accepted it also reduces the right, by its holder's authority."""
        accepted = self.status == InvoiceStatus.ACCEPTED
        require(accepted or self.status in OPEN, "the invoice's status allows no credit", status=self.status)
        self.require_note(note)
        amount = note.totals.payable
        require(accepted or amount <= self.payable, "no more is credited than is payable", payable=self.payable)
        require(accepted or (receivable is None and holder is None), "before acceptance there is no receivable")
        credit_note = tx.create(
            CreditNote(seller=self.seller, buyer=self.buyer, document=note, invoice=self.key(), exact=exact)
        )
        credits = (*self.credits, Credit(number=note.number, amount=amount))
        rest = self.payable - amount if amount <= self.payable else self.payable.zero()
        objection = None if self.objection is None else self.objection.replace(dealt_with=True)
        invoice = self.next_version(tx, self.replace(credits=credits, payable=rest, objection=objection))
        if receivable is not None:
            return self.credit_right(tx, receivable, note, invoice, credit_note)
        require(not accepted or self.payable.minor == 0, "crediting an accepted invoice reduces its receivable")
        refund = self.owe_back(tx, note, amount) if accepted else None
        return Credited(invoice=invoice, credit_note=credit_note, receivable=None, refund=refund)

    def require_note(self, note: Document) -> None:
        """Refuse a credit note that is not one on this invoice."""
        require(note.kind == CREDIT_NOTE, "this is no credit note", kind=note.kind)
        require(note.preceding == self.number, "the credit note is on another invoice", preceding=note.preceding)
        require(self.document.issued <= note.issued, "a credit note comes after its invoice", issued=note.issued)
        same = note.seller.tax_id == self.document.seller.tax_id and note.buyer == self.document.buyer
        require(same, "the credit note is between others", seller=note.seller.tax_id)
        require(note.totals.payable.minor > 0, "a credit is more than nothing", amount=note.totals.payable)

    def credit_right(
        self, tx: Transaction, receivable: Ref[Receivable], note: Document, invoice: Ref[Invoice],
        credit_note: Ref[CreditNote],
    ) -> Credited:  # fmt: skip
        """Reduce the right; what exceeds it the seller owes back."""
        right = tx.fetch(Receivable, receivable)
        require(right.invoice == self.key() and right.seller == self.seller, "this is another invoice's receivable")
        amount = note.totals.payable
        reduced, refund = receivable, None
        if right.outstanding.minor > 0:
            off = amount if amount <= right.outstanding else right.outstanding
            reduced = tx.exercise(receivable, Receivable.reduce, amount=off)
        if right.outstanding < amount:
            refund = self.owe_back(tx, note, amount - right.outstanding)
        return Credited(invoice=invoice, credit_note=credit_note, receivable=reduced, refund=refund)

    def owe_back(self, tx: Transaction, note: Document, amount: Money) -> Ref[Obligation]:
        """The seller's debt for what was credited after it had been paid."""
        return tx.create(
            Obligation(
                obligor=self.seller,
                obligee=self.buyer,
                face=amount,
                due=note.due_day(),
                reason="credit-note",
                reference=note.number,
            )
        )

    # after acceptance -------------------------------------------------------------------------------------------------

    @choice(by="buyer", consuming=False)
    def dispute(
        self, tx: Transaction, receivable: Ref[Receivable], number: str, amount: Money, reason: Reason,
        lines: tuple[str, ...], on: Day,
    ) -> Ref[Dispute]:  # fmt: skip
        """Dispute a part of what was accepted: it is not due until the dispute ends."""
        require(self.status == InvoiceStatus.ACCEPTED, "only an accepted invoice is disputed", status=self.status)
        right = tx.fetch(Receivable, receivable)
        require(right.invoice == self.key() and right.seller == self.seller, "this is another invoice's receivable")
        known = [line.id for line in self.document.lines]
        for line in lines:
            require(line in known, "the invoice has no such line", line=line)
        tx.exercise(receivable, Receivable.dispute, amount=amount, on=on)
        return tx.create(
            Dispute(
                number=number,
                invoice=self.key(),
                seller=self.seller,
                buyer=self.buyer,
                amount=amount,
                reason=reason,
                lines=lines,
                raised=on,
            )
        )

    @choice(by="holder")
    def write_off(self, tx: Transaction, receivable: Ref[Receivable], holder: Party, reason: str) -> Ref[Receivable]:
        """Give the right up as lost, by whoever holds it; the invoice says so and stays provable."""
        require(self.status == InvoiceStatus.ACCEPTED, "only an accepted invoice is written off", status=self.status)
        right = tx.fetch(Receivable, receivable)
        require(right.invoice == self.key() and right.seller == self.seller, "this is another invoice's receivable")
        require(right.holder == holder, "the right is someone else's", holder=right.holder)
        self.next_version(tx, self.replace(status=InvoiceStatus.WRITTEN_OFF))
        return tx.exercise(receivable, Receivable.write_off, reason=reason)


class DisputeStatus(Code):
    """Where a dispute stands."""

    RAISED = "raised"
    ANSWERED = "answered"
    ARBITRATED = "arbitrated"
    AGREED = "agreed"
    UPHELD = "upheld"
    CARRIED_OUT = "carried-out"


class Dispute(Template):
    """A buyer's objection to a part of an invoice that it had accepted."""

    number: str
    """The buyer's number of the case."""
    invoice: InvoiceId
    """The invoice."""
    seller: Party
    """Who answers."""
    buyer: Party
    """Who raised it."""
    amount: Money
    """What it is over."""
    reason: Reason
    """Why."""
    lines: tuple[str, ...]
    """The invoice's lines it is about; none is the whole."""
    raised: Day
    """When."""
    status: DisputeStatus = DisputeStatus.RAISED
    """Where it stands."""
    position: Hash | None = None
    """SHA-256 of the seller's answer."""
    arbiter: Party | None = None
    """Who decides, if both agreed on someone."""
    award: Money | None = None
    """What the arbiter says is to be credited."""

    def signatories(self) -> tuple[Party, ...]:
        """Both sides."""
        return (self.seller, self.buyer)

    def observers(self) -> tuple[Party, ...]:
        """The arbiter."""
        return () if self.arbiter is None else (self.arbiter,)

    def ensure(self) -> None:
        """The arbiter is neither side, and awards no more than is in dispute."""
        require(self.amount.minor > 0, "a dispute is over more than nothing", amount=self.amount)
        require(self.seller != self.buyer, "a dispute has two sides")
        require(self.arbiter != self.seller and self.arbiter != self.buyer, "an arbiter is neither side")
        require(self.award is None or self.award <= self.amount, "no more is awarded than disputed", award=self.award)
        require(self.award is None or self.award.minor >= 0, "an award is not negative", award=self.award)

    def require_running(self) -> None:
        """Refuse once there is an outcome."""
        running = self.status == DisputeStatus.RAISED or self.status == DisputeStatus.ANSWERED
        require(running, "the dispute has an outcome", status=self.status)

    @choice(by="seller")
    def answer(self, tx: Transaction, position: Hash) -> Ref[Dispute]:
        """Answer the buyer."""
        require(self.status == DisputeStatus.RAISED, "the dispute was answered already", status=self.status)
        return tx.create(self.replace(status=DisputeStatus.ANSWERED, position=position))

    @choice(by=("seller", "buyer"))
    def appoint(self, tx: Transaction, arbiter: Party) -> Ref[Dispute]:
        """Agree on who is to decide."""
        self.require_running()
        return tx.create(self.replace(arbiter=arbiter))

    @choice(by="arbiter")
    def arbitrate(self, tx: Transaction, award: Money) -> Ref[Dispute]:
        """Decide how much is to be credited; the credit note carries it out."""
        self.require_running()
        return tx.create(self.replace(status=DisputeStatus.ARBITRATED, award=award))

    @choice(by=("seller", "holder"))
    def agree(
        self, tx: Transaction, invoice: Ref[Invoice], receivable: Ref[Receivable], note: Document, exact: bool,
        holder: Party,
    ) -> Credited:  # fmt: skip
        """Give the buyer a credit note, for any part by agreement or for exactly what was awarded."""
        amount = note.totals.payable
        if self.status == DisputeStatus.ARBITRATED:
            require(amount == self.award, "the credit is what was awarded", credit=amount, award=self.award)
            status = DisputeStatus.CARRIED_OUT
        else:
            self.require_running()
            require(amount <= self.amount, "no more is credited than disputed", credit=amount, disputed=self.amount)
            status = DisputeStatus.AGREED
        tx.create(self.replace(status=status))
        due = self.released(tx, receivable)
        return tx.exercise(invoice, Invoice.credit, note=note, exact=exact, receivable=due, holder=holder)

    @choice(by="party")
    def uphold(self, tx: Transaction, party: Party, receivable: Ref[Receivable]) -> Ref[Receivable]:
        """The invoice stands: the buyer gives in, or the seller carries an award of nothing out."""
        nothing = self.status == DisputeStatus.ARBITRATED and self.award == self.amount.zero()
        if nothing:
            require(party == self.seller or party == self.buyer, "this is neither side", party=party)
        else:
            self.require_running()
            require(party == self.buyer, "only the buyer gives in", party=party)
        tx.create(self.replace(status=DisputeStatus.CARRIED_OUT if nothing else DisputeStatus.UPHELD))
        return self.released(tx, receivable)

    def released(self, tx: Transaction, receivable: Ref[Receivable]) -> Ref[Receivable]:
        """The right without the dispute."""
        right = tx.fetch(Receivable, receivable)
        require(right.invoice == self.invoice and right.seller == self.seller, "this is another invoice's receivable")
        return tx.exercise(receivable, Receivable.end_dispute, amount=self.amount)


class AutoAcceptance(Template):
    """A buyer's standing word that it accepts what keeps to an agreement, up to an amount for each invoice."""

    buyer: Party
    """Who accepts."""
    seller: Party
    """Whose invoices."""
    agreement: Ref[Agreement]
    """What they must keep to; amending it ends this."""
    amount_max: Money
    """For each invoice."""
    valid_until: Day
    """Last day."""
    set_off_waived: bool = False
    """Whether the buyer waives set-off."""

    def signatories(self) -> tuple[Party, ...]:
        """The buyer."""
        return (self.buyer,)

    def observers(self) -> tuple[Party, ...]:
        """The seller."""
        return (self.seller,)

    def ensure(self) -> None:
        """It is given to another."""
        require(self.seller != self.buyer, "seller and buyer differ")

    @choice(by="seller", consuming=False)
    def accept(self, tx: Transaction, invoice: Ref[Invoice]) -> Accepted:
        """Have an invoice accepted whose every line has an agreed price, within the agreement's tolerance."""
        tx.before(self.valid_until.plus(1))
        found = tx.fetch(Invoice, invoice)
        agreement = tx.fetch(Agreement, self.agreement)
        require(found.payable <= self.amount_max, "the invoice is over the limit", payable=found.payable)
        for line in found.document.lines:
            require(agreement.price_of(line.item) is not None, "no price was agreed for this line", line=line.id)
        found.require_agreed(agreement)
        return tx.exercise(invoice, Invoice.accept, set_off_waived=self.set_off_waived)

    @choice(by="buyer")
    def revoke(self, tx: Transaction) -> None:
        """No longer accept by rule."""
