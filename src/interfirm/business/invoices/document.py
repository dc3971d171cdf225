"""What an invoice or credit note says, by EN 16931 business terms, and the arithmetic that it must obey."""

from __future__ import annotations

from interfirm.business.companies.contract import Account, Firm
from interfirm.contracts.language import Day, Money, Quantity, Rate, Record, UnitPrice, require


class AllowanceCharge(Record):
    """An allowance or charge on a line or on the whole document (BG-20, BG-21, BG-27, BG-28)."""

    charge: bool
    """Whether it adds (a charge) or takes off (an allowance)."""
    amount: Money
    """Without tax (BT-92, BT-99, BT-136, BT-141)."""
    reason: str
    """In words (BT-97, BT-104, BT-139, BT-144)."""
    category: str
    """Tax category (BT-95, BT-102); on a line that of the line."""
    rate: Rate
    """Tax rate (BT-96, BT-103)."""
    reason_code: str = ""
    """UNTDID 5189 or 7161 (BT-98, BT-105)."""


class Line(Record):
    """One line (BG-25)."""

    id: str
    """BT-126."""
    name: str
    """What was sold (BT-153)."""
    quantity: Quantity
    """How much (BT-129, BT-130)."""
    price: UnitPrice
    """Net price (BT-146)."""
    net: Money
    """Without tax (BT-131)."""
    category: str
    """Tax category, UNTDID 5305 (BT-151)."""
    rate: Rate
    """Tax rate (BT-152)."""
    item: str = ""
    """The seller's item number (BT-155)."""
    base_quantity: Quantity | None = None
    """What the price is for (BT-149); None is one unit."""
    allowances: tuple[AllowanceCharge, ...] = ()
    """On this line."""


class TaxGroup(Record):
    """The tax of one category and rate (BG-23)."""

    category: str
    """BT-118."""
    rate: Rate
    """BT-119."""
    base: Money
    """What is taxed (BT-116)."""
    tax: Money
    """The tax (BT-117)."""
    exemption: str = ""
    """Why none is due (BT-120)."""


class Totals(Record):
    """The sums of a document (BG-22)."""

    lines: Money
    """BT-106."""
    allowances: Money
    """BT-107."""
    charges: Money
    """BT-108."""
    net: Money
    """Without tax, BT-109."""
    tax: Money
    """BT-110."""
    gross: Money
    """With tax, BT-112."""
    prepaid: Money
    """BT-113."""
    rounding: Money
    """BT-114."""
    payable: Money
    """BT-115."""


class Document(Record):
    """An invoice or credit note."""

    number: str
    """BT-1."""
    kind: str
    """Type, UNTDID 1001 (BT-3): 380 invoice, 381 credit note, 389 self-billed, 751 for accounting only."""
    issued: Day
    """BT-2."""
    currency: str
    """BT-5."""
    seller: Firm
    """BG-4."""
    buyer: Firm
    """BG-7."""
    lines: tuple[Line, ...]
    """BG-25."""
    groups: tuple[TaxGroup, ...]
    """BG-23."""
    totals: Totals
    """BG-22."""
    allowances: tuple[AllowanceCharge, ...] = ()
    """On the whole document, BG-20 and BG-21."""
    due: Day | None = None
    """BT-9."""
    terms: str = ""
    """Terms of payment in words (BT-20)."""
    buyer_reference: str = ""
    """BT-10."""
    order: str = ""
    """BT-13."""
    preceding: str = ""
    """Number of the invoice that this document is about (BT-25)."""
    preceding_issued: Day | None = None
    """BT-26."""
    means: str = ""
    """UNTDID 4461 (BT-81)."""
    account: Account | None = None
    """Where to pay (BG-17)."""
    remittance: str = ""
    """What to write on the payment (BT-83)."""

    def is_credit(self) -> bool:
        """Whether it is a credit note."""
        return self.kind in CREDIT_KINDS

    def due_day(self) -> Day:
        """When it is to be paid: the day given, or 30 days from issue where only terms in words are."""
        return self.issued.plus(TERM_DAYS) if self.due is None else self.due


CREDIT_KINDS = ("81", "83", "381", "396", "532")
"""Types of UNTDID 1001 that EN 16931 counts as credit notes."""
TERM_DAYS = 30
"""When a payment is due that no day is given for (Directive 2011/7/EU article 3.3)."""


def require_document(document: Document, exact: bool) -> None:
    """Refuse a document whose sums are not those of EN 16931.

    `exact` is for documents that are made here: tax and line amounts to the cent. Imported ones may be off by less than
    one currency unit in the tax (BR-CO-17, BR-S-08 and its like), and their line amounts are taken as they are.
    """
    require(document.number != "", "BR-02: a document has a number")
    require(len(document.lines) > 0, "BR-16: a document has a line")
    require(len(document.groups) > 0, "BR-CO-18: a document has a tax group")
    require_currency(document)
    require_totals(document)
    # one currency unit: the tolerance of the official rules
    unit = UnitPrice(1, 0, document.currency).total(Quantity(1, 0, "C62"))
    for group in document.groups:
        require_group(document, group, document.totals.payable.zero() if exact else unit)
    if exact:
        for line in document.lines:
            require_line(line)
    given = document.due is not None or document.terms != ""
    owed = document.totals.payable.minor > 0 and not document.is_credit()
    require(given or not owed, "BR-CO-25: what is payable has a due date or terms of payment")


def require_currency(document: Document) -> None:
    """Refuse amounts in several currencies."""
    totals = document.totals
    amounts = [
        totals.lines, totals.allowances, totals.charges, totals.net, totals.tax, totals.gross, totals.prepaid,
        totals.rounding, totals.payable,
    ]  # fmt: skip
    amounts = [*amounts, *[line.net for line in document.lines], *[part.amount for part in document.allowances]]
    amounts = [*amounts, *[group.base for group in document.groups], *[group.tax for group in document.groups]]
    for amount in amounts:
        require(amount.currency == document.currency, "a document has one currency", currency=amount.currency)


def require_totals(document: Document) -> None:
    """Refuse sums that do not add up."""
    totals, zero = document.totals, document.totals.lines.zero()
    lines = sum((line.net for line in document.lines), zero)
    require(totals.lines == lines, "BR-CO-10: the lines' sum", stated=totals.lines, computed=lines)
    off = sum((part.amount for part in document.allowances if not part.charge), zero)
    require(totals.allowances == off, "BR-CO-11: the allowances' sum", stated=totals.allowances, computed=off)
    added = sum((part.amount for part in document.allowances if part.charge), zero)
    require(totals.charges == added, "BR-CO-12: the charges' sum", stated=totals.charges, computed=added)
    net = totals.lines - totals.allowances + totals.charges
    require(totals.net == net, "BR-CO-13: the total without tax", stated=totals.net, computed=net)
    tax = sum((group.tax for group in document.groups), zero)
    require(totals.tax == tax, "BR-CO-14: the tax's sum", stated=totals.tax, computed=tax)
    gross = totals.net + totals.tax
    require(totals.gross == gross, "BR-CO-15: the total with tax", stated=totals.gross, computed=gross)
    payable = totals.gross - totals.prepaid + totals.rounding
    require(totals.payable == payable, "BR-CO-16: what is payable", stated=totals.payable, computed=payable)


def require_group(document: Document, group: TaxGroup, tolerance: Money) -> None:
    """Refuse a tax group whose base or tax is off by the tolerance or more, or at all where that is nothing."""
    base = group.base.zero()
    for line in document.lines:
        if line.category == group.category and line.rate == group.rate:
            base = base + line.net
    for part in document.allowances:
        if part.category == group.category and part.rate == group.rate:
            base = base + part.amount if part.charge else base - part.amount
    require(near(group.base, base, tolerance), "BR-S-08: what is taxed", stated=group.base, computed=base)
    tax = group.base.share(group.rate)
    require(near(group.tax, tax, tolerance), "BR-CO-17: the tax", stated=group.tax, computed=tax)


def near(stated: Money, computed: Money, tolerance: Money) -> bool:
    """Whether two amounts differ by less than the tolerance; with none, whether they are equal."""
    return stated == computed or abs(stated.minor - computed.minor) < tolerance.minor


def require_line(line: Line) -> None:
    """Refuse a line amount that is not quantity x price / base quantity with its allowances (PEPPOL-EN16931-R120)."""
    require(line.price.value >= 0, "BR-27: a price is not negative", line=line.id)
    base = Quantity(1, 0, line.quantity.unit) if line.base_quantity is None else line.base_quantity
    require(base.value > 0, "a price is for more than nothing", line=line.id)
    scaled = Quantity(line.quantity.value * 10**base.scale, line.quantity.scale, line.quantity.unit)
    net = line.price.total(scaled, base_quantity=base.value)
    for part in line.allowances:
        net = net + part.amount if part.charge else net - part.amount
    require(line.net == net, "R120: the line's amount", line=line.id, stated=line.net, computed=net)
