"""Which UBL 2.1 element holds which business term (EN 16931-3-2): one table for reading and writing.

A `Shape` says how a value stands in an element: a list of terms in the order that the UBL schema asks for. A term's
path is steps separated by `/`; a step ending in `*` may repeat, `@name` is an attribute, `.` the element's own text.
Where a path has a repeating step, each value has its own element from that step on.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from interfirm.base.values import Value
from interfirm.formats.en16931 import model

INVOICE_NAMESPACE = "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2"
CREDIT_NOTE_NAMESPACE = "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2"
PREFIXES = {
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
}

Kind = Literal["text", "number", "day", "flag", "shape"]


class Term(Value, frozen=True):
    """One field of a model value and where it stands."""

    field: str
    path: str
    kind: Kind = "text"
    shape: Shape | None = None
    terms: str = ""
    """The business terms or groups held here, for people and for locations."""

    @property
    def repeats(self) -> bool:
        """Whether the field is a tuple."""
        return "*" in self.path


class Shape(Value, frozen=True):
    """How a model value stands in an element."""

    type: type[Value]
    fields: tuple[Term, ...]


def _text(field: str, path: str, terms: str = "") -> Term:
    return Term(field, path, "text", None, terms)


def _number(field: str, path: str, terms: str = "") -> Term:
    return Term(field, path, "number", None, terms)


def _day(field: str, path: str, terms: str = "") -> Term:
    return Term(field, path, "day", None, terms)


def _shape(field: str, path: str, shape: Shape, terms: str = "") -> Term:
    return Term(field, path, "shape", shape, terms)


IDENTIFIER = Shape(model.Identifier, (_text("value", "."), _text("scheme", "@schemeID")))
AMOUNT = Shape(model.Amount, (_number("value", "."), _text("currency", "@currencyID")))
QUANTITY = Shape(model.Quantity, (_number("value", "."), _text("unit", "@unitCode", "BT-130 BT-150")))

PERIOD = Shape(
    model.Period,
    (
        _day("start", "cbc:StartDate", "BT-73 BT-134"),
        _day("end", "cbc:EndDate", "BT-74 BT-135"),
        _text("description_code", "cbc:DescriptionCode", "BT-8"),
    ),
)
ADDRESS = Shape(
    model.Address,
    (
        _text("street", "cbc:StreetName", "BT-35 BT-50 BT-64 BT-75"),
        _text("additional_street", "cbc:AdditionalStreetName", "BT-36 BT-51 BT-65 BT-76"),
        _text("city", "cbc:CityName", "BT-37 BT-52 BT-66 BT-77"),
        _text("postcode", "cbc:PostalZone", "BT-38 BT-53 BT-67 BT-78"),
        _text("subdivision", "cbc:CountrySubentity", "BT-39 BT-54 BT-68 BT-79"),
        _text("third_line", "cac:AddressLine/cbc:Line", "BT-162 BT-163 BT-164 BT-165"),
        _text("country", "cac:Country/cbc:IdentificationCode", "BT-40 BT-55 BT-69 BT-80"),
    ),
)
TAX_REGISTRATION = Shape(
    model.TaxRegistration,
    (
        _text("number", "cbc:CompanyID", "BT-31 BT-32 BT-48 BT-63"),
        _text("scheme", "cac:TaxScheme/cbc:ID"),
    ),
)
CONTACT = Shape(
    model.Contact,
    (
        _text("name", "cbc:Name", "BT-41 BT-56"),
        _text("telephone", "cbc:Telephone", "BT-42 BT-57"),
        _text("email", "cbc:ElectronicMail", "BT-43 BT-58"),
    ),
)


def _party(prefix: str) -> Shape:
    """A party, whose element has its terms below `prefix`."""
    return Shape(
        model.Party,
        (
            _shape("endpoint", f"{prefix}cbc:EndpointID", IDENTIFIER, "BT-34 BT-49"),
            _shape("identifiers", f"{prefix}cac:PartyIdentification*/cbc:ID", IDENTIFIER, "BT-29 BT-46 BT-60 BT-90"),
            _text("trading_name", f"{prefix}cac:PartyName/cbc:Name", "BT-28 BT-45 BT-59 BT-62"),
            _shape("address", f"{prefix}cac:PostalAddress", ADDRESS, "BG-5 BG-8 BG-12"),
            _shape("tax_registrations", f"{prefix}cac:PartyTaxScheme*", TAX_REGISTRATION),
            _text("legal_name", f"{prefix}cac:PartyLegalEntity/cbc:RegistrationName", "BT-27 BT-44"),
            _shape("legal_id", f"{prefix}cac:PartyLegalEntity/cbc:CompanyID", IDENTIFIER, "BT-30 BT-47 BT-61"),
            _text("legal_form", f"{prefix}cac:PartyLegalEntity/cbc:CompanyLegalForm", "BT-33"),
            _shape("contact", f"{prefix}cac:Contact", CONTACT, "BG-6 BG-9"),
        ),
    )


PRECEDING_INVOICE = Shape(
    model.PrecedingInvoice,
    (
        _text("number", "cac:InvoiceDocumentReference/cbc:ID", "BT-25"),
        _day("issue_date", "cac:InvoiceDocumentReference/cbc:IssueDate", "BT-26"),
    ),
)
ATTACHMENT = Shape(
    model.Attachment,
    (_text("content", "."), _text("media_type", "@mimeCode"), _text("filename", "@filename")),
)
SUPPORTING_DOCUMENT = Shape(
    model.SupportingDocument,
    (
        _shape("id", "cbc:ID", IDENTIFIER, "BT-122 BT-18"),
        _text("type_code", "cbc:DocumentTypeCode"),
        _text("description", "cbc:DocumentDescription", "BT-123"),
        _shape("attachment", "cac:Attachment/cbc:EmbeddedDocumentBinaryObject", ATTACHMENT, "BT-125"),
        _text("location", "cac:Attachment/cac:ExternalReference/cbc:URI", "BT-124"),
    ),
)
DELIVERY = Shape(
    model.Delivery,
    (
        _day("date", "cbc:ActualDeliveryDate", "BT-72"),
        _shape("location_id", "cac:DeliveryLocation/cbc:ID", IDENTIFIER, "BT-71"),
        _shape("address", "cac:DeliveryLocation/cac:Address", ADDRESS, "BG-15"),
        _text("party_name", "cac:DeliveryParty/cac:PartyName/cbc:Name", "BT-70"),
    ),
)
CARD = Shape(
    model.PaymentCard,
    (
        _text("number", "cbc:PrimaryAccountNumberID", "BT-87"),
        _text("network", "cbc:NetworkID"),
        _text("holder", "cbc:HolderName", "BT-88"),
    ),
)
ACCOUNT = Shape(
    model.Account,
    (
        _text("id", "cbc:ID", "BT-84"),
        _text("name", "cbc:Name", "BT-85"),
        _text("service_provider", "cac:FinancialInstitutionBranch/cbc:ID", "BT-86"),
    ),
)
MANDATE = Shape(
    model.Mandate,
    (
        _text("id", "cbc:ID", "BT-89"),
        _text("debited_account", "cac:PayerFinancialAccount/cbc:ID", "BT-91"),
    ),
)
PAYMENT_INSTRUCTIONS = Shape(
    model.PaymentInstructions,
    (
        _text("code", "cbc:PaymentMeansCode", "BT-81"),
        _text("text", "cbc:PaymentMeansCode/@name", "BT-82"),
        _day("due_date", "cbc:PaymentDueDate", "BT-9"),
        _text("reference", "cbc:PaymentID", "BT-83"),
        _shape("card", "cac:CardAccount", CARD, "BG-18"),
        _shape("account", "cac:PayeeFinancialAccount", ACCOUNT, "BG-17"),
        _shape("mandate", "cac:PaymentMandate", MANDATE, "BG-19"),
    ),
)
CATEGORY = Shape(
    model.TaxCategory,
    (
        _text("code", "cbc:ID", "BT-95 BT-102 BT-118 BT-151"),
        _number("rate", "cbc:Percent", "BT-96 BT-103 BT-119 BT-152"),
        _text("exemption_code", "cbc:TaxExemptionReasonCode", "BT-121"),
        _text("exemption_reason", "cbc:TaxExemptionReason", "BT-120"),
        _text("scheme", "cac:TaxScheme/cbc:ID"),
    ),
)
ALLOWANCE_CHARGE = Shape(
    model.AllowanceCharge,
    (
        Term("is_charge", "cbc:ChargeIndicator", "flag", None, "BG-20 BG-21 BG-27 BG-28"),
        _text("reason_code", "cbc:AllowanceChargeReasonCode", "BT-98 BT-105 BT-140 BT-145"),
        _text("reason", "cbc:AllowanceChargeReason", "BT-97 BT-104 BT-139 BT-144"),
        _number("percentage", "cbc:MultiplierFactorNumeric", "BT-94 BT-101 BT-138 BT-143"),
        _shape("amount", "cbc:Amount", AMOUNT, "BT-92 BT-99 BT-136 BT-141 BT-147"),
        _shape("base_amount", "cbc:BaseAmount", AMOUNT, "BT-93 BT-100 BT-137 BT-142 BT-148"),
        _shape("category", "cac:TaxCategory", CATEGORY),
    ),
)
BREAKDOWN = Shape(
    model.VatBreakdown,
    (
        _shape("taxable_amount", "cbc:TaxableAmount", AMOUNT, "BT-116"),
        _shape("tax_amount", "cbc:TaxAmount", AMOUNT, "BT-117"),
        _shape("category", "cac:TaxCategory", CATEGORY),
    ),
)
TAX_TOTAL = Shape(
    model.TaxTotal,
    (
        _shape("amount", "cbc:TaxAmount", AMOUNT, "BT-110 BT-111"),
        _shape("breakdown", "cac:TaxSubtotal*", BREAKDOWN, "BG-23"),
    ),
)
TOTALS = Shape(
    model.Totals,
    (
        _shape("line_net", "cbc:LineExtensionAmount", AMOUNT, "BT-106"),
        _shape("without_vat", "cbc:TaxExclusiveAmount", AMOUNT, "BT-109"),
        _shape("with_vat", "cbc:TaxInclusiveAmount", AMOUNT, "BT-112"),
        _shape("allowances", "cbc:AllowanceTotalAmount", AMOUNT, "BT-107"),
        _shape("charges", "cbc:ChargeTotalAmount", AMOUNT, "BT-108"),
        _shape("paid", "cbc:PrepaidAmount", AMOUNT, "BT-113"),
        _shape("rounding", "cbc:PayableRoundingAmount", AMOUNT, "BT-114"),
        _shape("payable", "cbc:PayableAmount", AMOUNT, "BT-115"),
    ),
)
CLASSIFICATION = Shape(
    model.Classification,
    (_text("code", "."), _text("list_id", "@listID"), _text("list_version", "@listVersionID")),
)
ITEM_PROPERTY = Shape(model.ItemProperty, (_text("name", "cbc:Name", "BT-160"), _text("value", "cbc:Value", "BT-161")))
ITEM = Shape(
    model.Item,
    (
        _text("description", "cbc:Description", "BT-154"),
        _text("name", "cbc:Name", "BT-153"),
        _text("buyer_id", "cac:BuyersItemIdentification/cbc:ID", "BT-156"),
        _text("seller_id", "cac:SellersItemIdentification/cbc:ID", "BT-155"),
        _shape("standard_id", "cac:StandardItemIdentification/cbc:ID", IDENTIFIER, "BT-157"),
        _text("origin_country", "cac:OriginCountry/cbc:IdentificationCode", "BT-159"),
        _shape("classifications", "cac:CommodityClassification*/cbc:ItemClassificationCode", CLASSIFICATION, "BT-158"),
        _shape("category", "cac:ClassifiedTaxCategory", CATEGORY, "BG-30"),
        _shape("properties", "cac:AdditionalItemProperty*", ITEM_PROPERTY, "BG-32"),
    ),
)
PRICE = Shape(
    model.Price,
    (
        _shape("amount", "cbc:PriceAmount", AMOUNT, "BT-146"),
        _shape("base_quantity", "cbc:BaseQuantity", QUANTITY, "BT-149"),
        _shape("discount", "cac:AllowanceCharge", ALLOWANCE_CHARGE, "BT-147"),
    ),
)
LINE_OBJECT = Shape(
    model.LineObject, (_shape("id", "cbc:ID", IDENTIFIER, "BT-128"), _text("type_code", "cbc:DocumentTypeCode"))
)


def _line(quantity: str) -> Shape:
    """A line, whose quantity stands in an element of the given name."""
    return Shape(
        model.Line,
        (
            _text("id", "cbc:ID", "BT-126"),
            _text("note", "cbc:Note", "BT-127"),
            _shape("quantity", quantity, QUANTITY, "BT-129"),
            _shape("net_amount", "cbc:LineExtensionAmount", AMOUNT, "BT-131"),
            _text("accounting_cost", "cbc:AccountingCost", "BT-133"),
            _shape("period", "cac:InvoicePeriod", PERIOD, "BG-26"),
            _text("order_line", "cac:OrderLineReference/cbc:LineID", "BT-132"),
            _shape("object", "cac:DocumentReference", LINE_OBJECT),
            _shape("allowances_charges", "cac:AllowanceCharge*", ALLOWANCE_CHARGE, "BG-27 BG-28"),
            _shape("item", "cac:Item", ITEM, "BG-31"),
            _shape("price", "cac:Price", PRICE, "BG-29"),
        ),
    )


_HEAD = (
    _text("customization_id", "cbc:CustomizationID", "BT-24"),
    _text("profile_id", "cbc:ProfileID", "BT-23"),
    _text("number", "cbc:ID", "BT-1"),
    _day("issue_date", "cbc:IssueDate", "BT-2"),
)
_NOTES = _text("notes", "cbc:Note*", "BG-1 BT-21 BT-22")
_TAX_POINT = _day("tax_point_date", "cbc:TaxPointDate", "BT-7")
_REFERENCES = (
    _text("currency", "cbc:DocumentCurrencyCode", "BT-5"),
    _text("tax_currency", "cbc:TaxCurrencyCode", "BT-6"),
    _text("accounting_cost", "cbc:AccountingCost", "BT-19"),
    _text("buyer_reference", "cbc:BuyerReference", "BT-10"),
    _shape("period", "cac:InvoicePeriod", PERIOD, "BG-14"),
    _text("order_reference", "cac:OrderReference/cbc:ID", "BT-13"),
    _text("sales_order_reference", "cac:OrderReference/cbc:SalesOrderID", "BT-14"),
    _shape("preceding_invoices", "cac:BillingReference*", PRECEDING_INVOICE, "BG-3"),
    _text("despatch_reference", "cac:DespatchDocumentReference/cbc:ID", "BT-16"),
    _text("receipt_reference", "cac:ReceiptDocumentReference/cbc:ID", "BT-15"),
)
_TENDER = _text("tender_reference", "cac:OriginatorDocumentReference/cbc:ID", "BT-17")
_CONTRACT = _text("contract_reference", "cac:ContractDocumentReference/cbc:ID", "BT-12")
_DOCUMENTS = _shape("supporting_documents", "cac:AdditionalDocumentReference*", SUPPORTING_DOCUMENT, "BG-24")
_BODY = (
    _shape("seller", "cac:AccountingSupplierParty", _party("cac:Party/"), "BG-4"),
    _shape("buyer", "cac:AccountingCustomerParty", _party("cac:Party/"), "BG-7"),
    _shape("payee", "cac:PayeeParty", _party(""), "BG-10"),
    _shape("tax_representative", "cac:TaxRepresentativeParty", _party(""), "BG-11"),
    _shape("delivery", "cac:Delivery", DELIVERY, "BG-13"),
    _shape("payment_instructions", "cac:PaymentMeans*", PAYMENT_INSTRUCTIONS, "BG-16"),
    _text("payment_terms", "cac:PaymentTerms/cbc:Note", "BT-20"),
    _shape("allowances_charges", "cac:AllowanceCharge*", ALLOWANCE_CHARGE, "BG-20 BG-21"),
    _shape("tax_totals", "cac:TaxTotal*", TAX_TOTAL, "BT-110 BT-111"),
    _shape("totals", "cac:LegalMonetaryTotal", TOTALS, "BG-22"),
)

INVOICE = Shape(
    model.Invoice,
    (
        *_HEAD,
        _day("due_date", "cbc:DueDate", "BT-9"),
        _text("type_code", "cbc:InvoiceTypeCode", "BT-3"),
        _NOTES,
        _TAX_POINT,
        *_REFERENCES,
        _TENDER,
        _CONTRACT,
        _DOCUMENTS,
        _text("project_reference", "cac:ProjectReference/cbc:ID", "BT-11"),
        *_BODY,
        _shape("lines", "cac:InvoiceLine*", _line("cbc:InvoicedQuantity"), "BG-25"),
    ),
)
CREDIT_NOTE = Shape(
    model.Invoice,
    (
        *_HEAD,
        _TAX_POINT,
        _text("type_code", "cbc:CreditNoteTypeCode", "BT-3"),
        _NOTES,
        *_REFERENCES,
        _CONTRACT,
        _DOCUMENTS,
        _TENDER,
        *_BODY,
        _shape("lines", "cac:CreditNoteLine*", _line("cbc:CreditedQuantity"), "BG-25"),
    ),
)
ROOTS: dict[model.DocumentKind, tuple[str, Shape]] = {
    "Invoice": (INVOICE_NAMESPACE, INVOICE),
    "CreditNote": (CREDIT_NOTE_NAMESPACE, CREDIT_NOTE),
}


def qualified(step: str) -> str:
    """A step's element name with its namespace, as lxml writes it."""
    prefix, name = step.rstrip("*").split(":")
    return f"{{{PREFIXES[prefix]}}}{name}"


def business_terms(shape: Shape, above: str = "") -> Iterator[tuple[str, str]]:
    """Every business term and group that a shape binds, with the path that may hold it."""
    for term in shape.fields:
        path = f"{above}/{term.path}".strip("/").replace("*", "")
        for name in term.terms.split():
            yield name, path
        if term.shape is not None:
            yield from business_terms(term.shape, path)
