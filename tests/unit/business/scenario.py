"""The reference scenario, steps 8 to 13, as calls on the test ledger; each step can be stopped at and varied."""

from __future__ import annotations

from typing import Any

from tests.unit.business.ledger import Ledger, party

from interfirm.business.agreements.contract import Agreement, AgreementKind, AgreementStatus, PriceTerm, Terms
from interfirm.business.cash.contract import Cash
from interfirm.business.companies.accounts import account_of
from interfirm.business.companies.contract import Account, Address, Firm
from interfirm.business.factoring.advance import Advance
from interfirm.business.factoring.contract import Offer, Taken
from interfirm.business.factoring.facility import Exposure, Facility, Opened
from interfirm.business.factoring.terms import (
    DayCount,
    DebtorLimit,
    Eligibility,
    FacilityTerms,
    FeeBasis,
    Recourse,
    ReleaseRule,
    offered_of,
    price_of,
)
from interfirm.business.invoices.answers import Action, InvoiceStatus, Reason
from interfirm.business.invoices.contract import Accepted, Credited, Invoice
from interfirm.business.invoices.document import AllowanceCharge, Document, Line, TaxGroup, Totals
from interfirm.business.payments.contract import BankEntry
from interfirm.business.receivables.contract import Receivable, Verification
from interfirm.contracts.language import Day, Hash, Money, Party, Quantity, Rate, Ref, UnitPrice

S, B, L, L2, K, BANK = (party(name) for name in ("supplier", "buyer", "lender", "second lender", "carrier", "oracle"))
VAT = Rate(210_000)


def eur(text: str) -> Money:
    """An amount in euros from its decimal text."""
    whole, _, cents = text.replace(",", "").partition(".")
    return Money(int(whole + cents.ljust(2, "0")), "EUR")


def day(month: int, number: int, year: int = 2026) -> Day:
    """A day of the scenario's year."""
    return Day.of(year, month, number)


NORDMARK = Firm(
    name="Nordmark Components NV", tax_id="BE0987654394", registration="0987654394", registration_scheme="0208",
    endpoint="0987654394", endpoint_scheme="0208",
    address=Address(street="Havenlaan 1", city="Antwerpen", postal_code="2000", country="BE"),
)  # fmt: skip
HALDEN = Firm(
    name="Halden Retail BV", tax_id="BE0812345603", registration="0812345603", registration_scheme="0208",
    endpoint="0812345603", endpoint_scheme="0208",
    address=Address(street="Kerkstraat 2", city="Gent", postal_code="9000", country="BE"),
)  # fmt: skip


def iban(country: str, bban: str) -> str:
    """An IBAN with valid check digits."""
    number = int("".join(str(int(c, 36)) for c in f"{bban}{country}00"))
    return f"{country}{98 - number % 97:02d}{bban}"


S_ACCOUNT = account_of(iban("BE", "539007547034"), name="Nordmark")
L_ACCOUNT = account_of(iban("BE", "539007547035"), name="Lumen")
L2_ACCOUNT = account_of(iban("BE", "539007547036"), name="Second")
B_ACCOUNT = account_of(iban("BE", "539007547037"), name="Halden")


def line(id_: str, item: str, units: int, price: str, net: str) -> Line:
    """A line at the standard rate."""
    return Line(
        id=id_, name=item, item=item, quantity=Quantity(units, 0, "C62"), price=UnitPrice.of(eur(price)),
        net=eur(net), category="S", rate=VAT,
    )  # fmt: skip


def document(
    number: str,
    lines: tuple[Line, ...],
    *,
    issued: Day,
    freight: str = "0.00",
    kind: str = "380",
    due: Day | None = None,
    **more: Any,
) -> Document:
    """A document whose sums follow from its lines."""
    net_lines = sum((one.net for one in lines), eur("0"))
    charge = eur(freight)
    charges = (
        (AllowanceCharge(charge=True, amount=charge, reason="Freight", category="S", rate=VAT, reason_code="FC"),)
        if charge.minor
        else ()
    )
    net = net_lines + charge
    tax = net.share(VAT)
    totals = Totals(
        lines=net_lines, allowances=eur("0"), charges=charge, net=net, tax=tax, gross=net + tax, prepaid=eur("0"),
        rounding=eur("0"), payable=net + tax,
    )  # fmt: skip
    return Document(
        number=number, kind=kind, issued=issued, currency="EUR", seller=NORDMARK, buyer=HALDEN, lines=lines,
        groups=(TaxGroup(category="S", rate=VAT, base=net, tax=tax),), totals=totals, allowances=charges, due=due,
        **more,
    )  # fmt: skip


LINES = (line("1", "B100", 1000, "62.50", "62500.00"), line("2", "B200", 600, "81.25", "48750.00"))
INV_1 = document(
    "INV-2026-0001", LINES, issued=day(10, 5), freight="1250.00", due=day(11, 19), order="PO-2026-0001", means="30",
    account=S_ACCOUNT,
)  # fmt: skip
CN_1 = document(
    "CN-2026-0001", (line("1", "B200", 10, "81.25", "812.50"),), issued=day(10, 7), kind="381",
    preceding="INV-2026-0001", preceding_issued=day(10, 5),
)  # fmt: skip
LATE_RATE = Rate(101_500)
"""8 percentage points above 2.15 %."""

TERMS = FacilityTerms(
    limit=eur("250000"),
    debtor_limits=(DebtorLimit(debtor=B, limit=eur("150000")),),
    concentration=Rate(600_000),
    advance=Rate(850_000),
    fee=Rate(15_000),
    fee_basis=FeeBasis.FLAT,
    interest=Rate(72_000),
    day_count=DayCount.ACT_360,
    recourse=Recourse.FULL,
    recourse_share=Rate(1_000_000),
    recourse_days=60,
    disclosed=True,
    release=ReleaseRule.WHEN_PAID,
    dispute_stops_interest=True,
    eligibility=Eligibility(days_to_due_max=120, amount_min=eur("1000"), currencies=("EUR",), verified=True),
    volume_min=eur("1000000"),
)
AGREED = Terms(
    prices=(
        PriceTerm(item="B100", price=UnitPrice.of(eur("62.50")), unit="C62"),
        PriceTerm(item="B200", price=UnitPrice.of(eur("81.25")), unit="C62"),
    ),
    payment_days=45,
    tolerance=Rate(20_000),
    governing_law="BE",
)


def invoice_of(document: Document, *, agreement: Ref[Agreement] | None = None, **changes: Any) -> Invoice:
    """The invoice that S issues with a document."""
    invoice = Invoice(
        seller=S, buyer=B, document=document, number=document.number, payable=document.totals.payable,
        due=document.due_day(), account=S_ACCOUNT, late_rate=LATE_RATE, agreement=agreement,
    )  # fmt: skip
    return invoice.replace(**changes)


class Play:
    """One play of the scenario."""

    def __init__(self, terms: FacilityTerms = TERMS) -> None:
        self.ledger = Ledger()
        self.terms = terms

    # prerequisites

    def agreement(self) -> Ref[Agreement]:
        """Step 2: master agreement with price list, signed by both and in effect."""
        proposal = Agreement(
            number="MSA-1", kind=AgreementKind.MASTER, parties=(S, B), signed=(S,), document=Hash(bytes(32)),
            terms=AGREED, start=day(8, 10), end=day(8, 9, 2027),
        )  # fmt: skip
        ref = self.ledger.create(proposal, signed=[S], on=day(8, 10))
        ref = self.ledger.exercise(ref, Agreement.sign, signed=[S, B], on=day(8, 10), party=B)
        ref = self.ledger.exercise(ref, Agreement.activate, signed=[S, B], on=day(8, 10), party=S)
        assert self.ledger.get(Agreement, ref).status == AgreementStatus.IN_EFFECT
        return ref

    def facility(self, lender: Party = L, number: str = "F-1") -> Opened:
        """Step 3: the facility, proposed by the lender and accepted by S."""
        proposal = Facility(
            number=number, seller=S, lender=lender, terms=self.terms, document=Hash(bytes(32)), start=day(8, 20),
            end=day(8, 19, 2027),
        )  # fmt: skip
        ref = self.ledger.create(proposal, signed=[lender], on=day(8, 20))
        return self.ledger.exercise(ref, Facility.accept, signed=[S, lender], on=day(8, 20))

    def cash(self, owner: Party, amount: str, on: Day) -> Ref[Cash]:
        """Cash issued by the bank."""
        return self.ledger.create(Cash(issuer=BANK, owner=owner, amount=eur(amount)), signed=[BANK], on=on)  # type: ignore[no-any-return]

    # steps

    def issue(self, document: Document = INV_1, **changes: Any) -> Ref[Invoice]:
        """Step 8."""
        return self.ledger.create(invoice_of(document, **changes), signed=[S], on=document.issued)  # type: ignore[no-any-return]

    def query_and_credit(self, invoice: Ref[Invoice], note: Document = CN_1) -> Ref[Invoice]:
        """Step 9."""
        on = day(10, 7)
        invoice = self.ledger.exercise(
            invoice, Invoice.query, signed=[S, B], on=on, reason=Reason.QUALITY, action=Action.CREDIT_AMOUNT, note=None
        )
        assert self.ledger.get(Invoice, invoice).status == InvoiceStatus.QUERIED
        credited: Credited = self.ledger.exercise(
            invoice, Invoice.credit, signed=[S, B], on=on, note=note, exact=True, receivable=None, holder=None
        )
        return credited.invoice

    def accept(self, invoice: Ref[Invoice]) -> Accepted:
        """Step 10, the buyer's part."""
        return self.ledger.exercise(invoice, Invoice.accept, signed=[S, B], on=day(10, 8), set_off_waived=False)

    def offer(self, receivable: Ref[Receivable], opened: Opened, lender: Party = L, **changes: Any) -> Ref[Offer]:
        """Step 10, the seller's part."""
        offered = offered_of(self.ledger.get(Receivable, receivable))
        offer = Offer(
            seller=S, lender=lender, facility=opened.facility, receivable=receivable, offered=offered,
            price=price_of(self.terms, offered.outstanding, day(10, 8), offered.due), valid_until=day(10, 31),
        ).replace(**changes)  # fmt: skip
        return self.ledger.create(offer, signed=[S], on=day(10, 8))  # type: ignore[no-any-return]

    def verify(self, receivable: Ref[Receivable], **changes: Any) -> Ref[Verification]:
        """Step 10, the buyer's word."""
        right = self.ledger.get(Receivable, receivable)
        word = Verification(
            obligor=B, holder=S, invoice=right.invoice, outstanding=right.outstanding, due=right.due, no_set_off=True,
            valid_until=day(10, 31),
        ).replace(**changes)  # fmt: skip
        return self.ledger.create(word, signed=[B], on=day(10, 8))  # type: ignore[no-any-return]

    def take(
        self,
        offer: Ref[Offer],
        exposure: Ref[Exposure],
        verification: Ref[Verification] | None,
        cash: Ref[Cash] | None,
        *,
        lender: Party = L,
        account: Account = L_ACCOUNT,
        signed: tuple[Party, ...] | None = None,
        numbers: tuple[int, int] = (1, 1),
        on: Day | None = None,
    ) -> Taken:
        """Step 10, the lender's part."""
        return self.ledger.exercise(
            offer, Offer.take, signed=(S, B, lender) if signed is None else signed, on=on or day(10, 8),
            exposure=exposure, verification=verification, cash=cash, account=account, parties_number=numbers[0],
            order_number=numbers[1], on_=on or day(10, 8),
        )  # fmt: skip

    def to_acceptance(self) -> Accepted:
        """Steps 8 to 10, as far as the receivable."""
        return self.accept(self.query_and_credit(self.issue()))

    def to_purchase(self, *, cash: bool = True) -> Taken:
        """Steps 8 to 10."""
        opened = self.facility()
        receivable = self.to_acceptance().receivable
        assert receivable is not None
        money = self.cash(L, "200000.00", day(10, 1)) if cash else None
        return self.take(self.offer(receivable, opened), opened.exposure, self.verify(receivable), money)

    def entry(self, amount: str, booked: Day, **changes: Any) -> Ref[BankEntry]:
        """A transfer from B to L that the bank books."""
        entry = BankEntry(
            bank=BANK, payer=B, payee=L, amount=eur(amount), end_to_end_id="E2E-1", booked=booked, value=booked,
            debtor_account=B_ACCOUNT.digest, creditor_account=L_ACCOUNT.digest, reference="REF-1",
            entry=Hash(bytes(32)),
        ).replace(**changes)  # fmt: skip
        return self.ledger.create(entry, signed=[BANK], on=booked)  # type: ignore[no-any-return]

    def collect(self, taken: Taken, amount: str = "135141.87", on: Day | None = None, **changes: Any) -> Taken:
        """Step 12: L pays the receivable down by the bank's entry, then applies it to the advance."""
        on = on or day(11, 24)
        entry = self.entry(amount, on, **changes)
        assert taken.receivable is not None
        paid = self.ledger.exercise(
            taken.receivable, Receivable.pay_down, signed=[B, L], on=on, entry=entry, amount=eur(amount)
        )
        applied = self.ledger.exercise(
            taken.advance, Advance.collect, signed=[S, L], on=on, receivable=paid, exposure=taken.exposure
        )
        return taken.replace(receivable=paid, advance=applied.advance, exposure=applied.exposure)

    def release(self, taken: Taken) -> Ref[Advance]:
        """Step 13: the rebate is paid out and S confirms."""
        on = day(11, 25)
        assert taken.change is not None
        released = self.ledger.exercise(taken.advance, Advance.release, signed=[S, L], on=on, cash=taken.change, on_=on)
        return self.ledger.exercise(released, Advance.close, signed=[S, L], on=on)
