"""The semantic model of an electronic invoice (EN 16931-1:2017 section 6.3), each part named by its business term.

Every part may be absent, because a document is read before it is judged; numbers are kept as written, with all their
decimals, because rules speak of them, and days as the text YYYY-MM-DD. Absent is None; an empty text is an element that
is there and says nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from interfirm.base.values import Value
from interfirm.formats.en16931.findings import Finding

DocumentKind = Literal["Invoice", "CreditNote"]
VAT = "VAT"


class Identifier(Value, frozen=True):
    """An identifier and the scheme it belongs to (ISO 6523 ICD or EAS code)."""

    value: str | None = None
    scheme: str | None = None


class Amount(Value, frozen=True):
    """An amount as written, in a currency."""

    value: Decimal | None = None
    currency: str | None = None


class Quantity(Value, frozen=True):
    """A quantity as written, in a unit of UN/ECE Recommendation 20 or 21."""

    value: Decimal | None = None
    unit: str | None = None


class Period(Value, frozen=True):
    """BG-14 invoicing period or BG-26 line period."""

    start: str | None = None
    """BT-73, BT-134."""
    end: str | None = None
    """BT-74, BT-135."""
    description_code: str | None = None
    """BT-8 value added tax point date code; only on a document's period."""


class Address(Value, frozen=True):
    """BG-5, BG-8, BG-12 or BG-15."""

    street: str | None = None
    """BT-35, BT-50, BT-64, BT-75."""
    additional_street: str | None = None
    """BT-36, BT-51, BT-65, BT-76."""
    third_line: str | None = None
    """BT-162, BT-163, BT-164, BT-165."""
    city: str | None = None
    """BT-37, BT-52, BT-66, BT-77."""
    postcode: str | None = None
    """BT-38, BT-53, BT-67, BT-78."""
    subdivision: str | None = None
    """BT-39, BT-54, BT-68, BT-79."""
    country: str | None = None
    """BT-40, BT-55, BT-69, BT-80: ISO 3166-1 alpha-2."""


class TaxRegistration(Value, frozen=True):
    """A party's number in one tax scheme."""

    number: str | None = None
    """BT-31, BT-48, BT-63 in the scheme VAT; BT-32 in another."""
    scheme: str | None = VAT

    @property
    def is_vat(self) -> bool:
        """Whether this is a VAT identifier."""
        return is_vat_scheme(self.scheme)


class Contact(Value, frozen=True):
    """BG-6 or BG-9."""

    name: str | None = None
    """BT-41, BT-56."""
    telephone: str | None = None
    """BT-42, BT-57."""
    email: str | None = None
    """BT-43, BT-58."""


class Party(Value, frozen=True):
    """BG-4 seller, BG-7 buyer, BG-10 payee or BG-11 tax representative."""

    endpoint: Identifier | None = None
    """BT-34, BT-49 electronic address."""
    identifiers: tuple[Identifier, ...] = ()
    """BT-29, BT-46, BT-60; and BT-90 under the scheme SEPA."""
    trading_name: str | None = None
    """BT-28, BT-45; the only name of a payee (BT-59) and a tax representative (BT-62)."""
    address: Address | None = None
    tax_registrations: tuple[TaxRegistration, ...] = ()
    legal_name: str | None = None
    """BT-27, BT-44."""
    legal_id: Identifier | None = None
    """BT-30, BT-47, BT-61."""
    legal_form: str | None = None
    """BT-33 additional legal information."""
    contact: Contact | None = None

    @property
    def vat_id(self) -> str | None:
        """BT-31, BT-48 or BT-63."""
        return next((r.number for r in self.tax_registrations if r.is_vat and r.number is not None), None)

    @property
    def has_tax_id(self) -> bool:
        """Whether a number in any tax scheme is there (BT-31 or BT-32)."""
        return any(registration.number is not None for registration in self.tax_registrations)

    @property
    def name(self) -> str | None:
        """The legal name, or the trading name where a party has no other."""
        return self.legal_name if self.legal_name is not None else self.trading_name


class PrecedingInvoice(Value, frozen=True):
    """BG-3, the invoice that a credit note or correction refers to."""

    number: str | None = None
    """BT-25."""
    issue_date: str | None = None
    """BT-26."""


class Attachment(Value, frozen=True):
    """BT-125, a file inside the document."""

    content: str | None = None
    """Base64."""
    media_type: str | None = None
    filename: str | None = None


class SupportingDocument(Value, frozen=True):
    """BG-24, or with type code 130 the invoiced object (BT-18), or on a credit note with 50 the project (BT-11)."""

    id: Identifier | None = None
    """BT-122 or BT-18."""
    type_code: str | None = None
    description: str | None = None
    """BT-123."""
    attachment: Attachment | None = None
    location: str | None = None
    """BT-124."""


class Delivery(Value, frozen=True):
    """BG-13."""

    date: str | None = None
    """BT-72."""
    location_id: Identifier | None = None
    """BT-71."""
    address: Address | None = None
    """BG-15."""
    party_name: str | None = None
    """BT-70."""


class PaymentCard(Value, frozen=True):
    """BG-18."""

    number: str | None = None
    """BT-87, at most its last digits."""
    network: str | None = None
    """Asked for by UBL, no business term."""
    holder: str | None = None
    """BT-88."""


class Account(Value, frozen=True):
    """BG-17, an account that is paid into."""

    id: str | None = None
    """BT-84, an IBAN for SEPA."""
    name: str | None = None
    """BT-85."""
    service_provider: str | None = None
    """BT-86, a BIC."""


class Mandate(Value, frozen=True):
    """BG-19 direct debit."""

    id: str | None = None
    """BT-89."""
    debited_account: str | None = None
    """BT-91."""


class PaymentInstructions(Value, frozen=True):
    """BG-16."""

    code: str | None = None
    """BT-81, UNTDID 4461."""
    text: str | None = None
    """BT-82."""
    due_date: str | None = None
    """BT-9 of a credit note, which UBL keeps here."""
    reference: str | None = None
    """BT-83 remittance information."""
    card: PaymentCard | None = None
    account: Account | None = None
    mandate: Mandate | None = None


class TaxCategory(Value, frozen=True):
    """A category and rate of tax, of an allowance, a charge, an item or a group of the VAT breakdown."""

    code: str | None = None
    """BT-95, BT-102, BT-118, BT-151: UNTDID 5305."""
    rate: Decimal | None = None
    """BT-96, BT-103, BT-119, BT-152 in per cent."""
    exemption_code: str | None = None
    """BT-121."""
    exemption_reason: str | None = None
    """BT-120."""
    scheme: str | None = VAT

    @property
    def is_vat(self) -> bool:
        """Whether the category is one of VAT."""
        return is_vat_scheme(self.scheme)


class AllowanceCharge(Value, frozen=True):
    """BG-20, BG-21 on a document, BG-27, BG-28 on a line; within a price BT-147 and BT-148."""

    is_charge: bool | None = None
    reason_code: str | None = None
    """BT-98, BT-105, BT-140, BT-145."""
    reason: str | None = None
    """BT-97, BT-104, BT-139, BT-144."""
    percentage: Decimal | None = None
    """BT-94, BT-101, BT-138, BT-143."""
    amount: Amount | None = None
    """BT-92, BT-99, BT-136, BT-141, BT-147."""
    base_amount: Amount | None = None
    """BT-93, BT-100, BT-137, BT-142, BT-148."""
    category: TaxCategory | None = None


class VatBreakdown(Value, frozen=True):
    """BG-23."""

    taxable_amount: Amount | None = None
    """BT-116."""
    tax_amount: Amount | None = None
    """BT-117."""
    category: TaxCategory | None = None


class TaxTotal(Value, frozen=True):
    """BT-110 with its breakdown, or BT-111 in the accounting currency."""

    amount: Amount | None = None
    breakdown: tuple[VatBreakdown, ...] = ()


class Totals(Value, frozen=True):
    """BG-22."""

    line_net: Amount | None = None
    """BT-106."""
    without_vat: Amount | None = None
    """BT-109."""
    with_vat: Amount | None = None
    """BT-112."""
    allowances: Amount | None = None
    """BT-107."""
    charges: Amount | None = None
    """BT-108."""
    paid: Amount | None = None
    """BT-113."""
    rounding: Amount | None = None
    """BT-114."""
    payable: Amount | None = None
    """BT-115."""


class Classification(Value, frozen=True):
    """BT-158."""

    code: str | None = None
    list_id: str | None = None
    list_version: str | None = None


class ItemProperty(Value, frozen=True):
    """BG-32."""

    name: str | None = None
    """BT-160."""
    value: str | None = None
    """BT-161."""


class Item(Value, frozen=True):
    """BG-31 with the VAT of the line (BG-30)."""

    description: str | None = None
    """BT-154."""
    name: str | None = None
    """BT-153."""
    buyer_id: str | None = None
    """BT-156."""
    seller_id: str | None = None
    """BT-155."""
    standard_id: Identifier | None = None
    """BT-157, a GTIN under the scheme 0160."""
    origin_country: str | None = None
    """BT-159."""
    classifications: tuple[Classification, ...] = ()
    category: TaxCategory | None = None
    """BT-151, BT-152."""
    properties: tuple[ItemProperty, ...] = ()


class Price(Value, frozen=True):
    """BG-29."""

    amount: Amount | None = None
    """BT-146 item net price."""
    base_quantity: Quantity | None = None
    """BT-149, BT-150."""
    discount: AllowanceCharge | None = None
    """BT-147 discount and BT-148 gross price."""


class LineObject(Value, frozen=True):
    """BT-128 invoice line object."""

    id: Identifier | None = None
    type_code: str | None = None


class Line(Value, frozen=True):
    """BG-25."""

    id: str | None = None
    """BT-126."""
    note: str | None = None
    """BT-127."""
    quantity: Quantity | None = None
    """BT-129, BT-130."""
    net_amount: Amount | None = None
    """BT-131."""
    accounting_cost: str | None = None
    """BT-133."""
    period: Period | None = None
    order_line: str | None = None
    """BT-132."""
    object: LineObject | None = None
    allowances_charges: tuple[AllowanceCharge, ...] = ()
    item: Item | None = None
    price: Price | None = None

    @property
    def category(self) -> TaxCategory | None:
        """The VAT category of the line's item."""
        return self.item.category if self.item is not None else None


class Invoice(Value, frozen=True):
    """An invoice or credit note of EN 16931."""

    kind: DocumentKind
    """Which UBL document it is; a corrective invoice (384) is an Invoice."""
    customization_id: str | None = None
    """BT-24 specification identifier."""
    profile_id: str | None = None
    """BT-23 business process."""
    number: str | None = None
    """BT-1."""
    issue_date: str | None = None
    """BT-2."""
    due_date: str | None = None
    """BT-9 of an invoice; a credit note's stands in its payment instructions."""
    type_code: str | None = None
    """BT-3, UNTDID 1001."""
    notes: tuple[str, ...] = ()
    """BG-1: BT-22, with its subject code (BT-21) between two #."""
    tax_point_date: str | None = None
    """BT-7."""
    currency: str | None = None
    """BT-5."""
    tax_currency: str | None = None
    """BT-6."""
    accounting_cost: str | None = None
    """BT-19."""
    buyer_reference: str | None = None
    """BT-10."""
    period: Period | None = None
    """BG-14."""
    order_reference: str | None = None
    """BT-13."""
    sales_order_reference: str | None = None
    """BT-14."""
    preceding_invoices: tuple[PrecedingInvoice, ...] = ()
    """BG-3."""
    despatch_reference: str | None = None
    """BT-16."""
    receipt_reference: str | None = None
    """BT-15."""
    tender_reference: str | None = None
    """BT-17."""
    contract_reference: str | None = None
    """BT-12."""
    supporting_documents: tuple[SupportingDocument, ...] = ()
    """BG-24, BT-18."""
    project_reference: str | None = None
    """BT-11 of an invoice."""
    seller: Party | None = None
    """BG-4."""
    buyer: Party | None = None
    """BG-7."""
    payee: Party | None = None
    """BG-10."""
    tax_representative: Party | None = None
    """BG-11."""
    delivery: Delivery | None = None
    """BG-13."""
    payment_instructions: tuple[PaymentInstructions, ...] = ()
    """BG-16."""
    payment_terms: str | None = None
    """BT-20."""
    allowances_charges: tuple[AllowanceCharge, ...] = ()
    """BG-20, BG-21."""
    tax_totals: tuple[TaxTotal, ...] = ()
    """BT-110, BT-111, BG-23."""
    totals: Totals | None = None
    """BG-22."""
    lines: tuple[Line, ...] = ()
    """BG-25."""

    @property
    def payment_due_date(self) -> str | None:
        """BT-9, wherever the syntax keeps it."""
        dates = (self.due_date, *(means.due_date for means in self.payment_instructions))
        return next((date for date in dates if date is not None), None)

    @property
    def breakdown(self) -> tuple[VatBreakdown, ...]:
        """BG-23 of all tax totals."""
        return tuple(group for total in self.tax_totals for group in total.breakdown)

    def vat_total(self, currency: str | None) -> Amount | None:
        """BT-110 for the document's currency, BT-111 for the accounting currency."""
        amounts = (total.amount for total in self.tax_totals)
        return next((amount for amount in amounts if amount is not None and amount.currency == currency), None)


class Document(Value, frozen=True):
    """An invoice as it was found in a file: what it says, and what is wrong already with how it is written."""

    invoice: Invoice
    syntax: tuple[Finding, ...] = ()


def is_vat_scheme(scheme: str | None) -> bool:
    """Whether a tax scheme's id names VAT, in any case of letters."""
    return scheme is not None and scheme.strip().upper() == VAT
