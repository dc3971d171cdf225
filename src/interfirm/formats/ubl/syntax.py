"""Rules on the UBL file itself, which the semantic model cannot show: UBL-SR-* (how often) and UBL-DT-* (data types).

Source: CEN/TS 16931-3-2 and the rules published for it by ConnectingEurope/eInvoicing-EN16931. Every check is linear in
the size of the file.
"""

from __future__ import annotations

from collections.abc import Iterator

from interfirm.base.limits import LIMITS
from interfirm.formats.en16931.findings import Finding
from interfirm.formats.ubl.binding import PREFIXES, qualified
from interfirm.formats.xml import Element, attributes, local_name

_SELLER = "cac:AccountingSupplierParty/cac:Party"
_BUYER = "cac:AccountingCustomerParty/cac:Party"

AT_MOST_ONCE: tuple[tuple[str, str, str], ...] = (
    # rule, the elements it looks at ("" is the document), the path that may lead to one element at most
    ("UBL-SR-01", "", "cac:ContractDocumentReference/cbc:ID"),
    ("UBL-SR-02", "", "cac:ReceiptDocumentReference/cbc:ID"),
    ("UBL-SR-03", "", "cac:DespatchDocumentReference/cbc:ID"),
    ("UBL-SR-05", "", "cac:PaymentTerms/cbc:Note"),
    ("UBL-SR-06", "cac:BillingReference", "cac:InvoiceDocumentReference"),
    ("UBL-SR-08", "", "cac:InvoicePeriod"),
    ("UBL-SR-09", "", f"{_SELLER}/cac:PartyLegalEntity/cbc:RegistrationName"),
    ("UBL-SR-10", "", f"{_SELLER}/cac:PartyName/cbc:Name"),
    ("UBL-SR-11", "", f"{_SELLER}/cac:PartyLegalEntity/cbc:CompanyID"),
    ("UBL-SR-14", "", f"{_SELLER}/cac:PartyLegalEntity/cbc:CompanyLegalForm"),
    ("UBL-SR-15", "", f"{_BUYER}/cac:PartyLegalEntity/cbc:RegistrationName"),
    ("UBL-SR-16", "", f"{_BUYER}/cac:PartyIdentification/cbc:ID"),
    ("UBL-SR-17", "", f"{_BUYER}/cac:PartyLegalEntity/cbc:CompanyID"),
    ("UBL-SR-19", "cac:PayeeParty", "cac:PartyName/cbc:Name"),
    ("UBL-SR-21", "cac:PayeeParty", "cac:PartyLegalEntity/cbc:CompanyID"),
    ("UBL-SR-22", "cac:TaxRepresentativeParty", "cac:PartyName/cbc:Name"),
    ("UBL-SR-23", "cac:TaxRepresentativeParty", "cac:PartyTaxScheme/cbc:CompanyID"),
    ("UBL-SR-24", "", "cac:Delivery"),
    ("UBL-SR-25", "cac:Delivery", "cac:DeliveryParty/cac:PartyName/cbc:Name"),
    ("UBL-SR-26", "cac:PaymentMeans", "cbc:PaymentID"),
    ("UBL-SR-27", "cac:PaymentMeans", "cbc:PaymentMeansCode"),
    ("UBL-SR-28", "cac:PaymentMeans", "cac:PaymentMandate/cbc:ID"),
    ("UBL-SR-30", "allowance", "cbc:AllowanceChargeReason"),
    ("UBL-SR-31", "charge", "cbc:AllowanceChargeReason"),
    ("UBL-SR-32", "cac:TaxSubtotal", "cac:TaxCategory/cbc:TaxExemptionReason"),
    ("UBL-SR-33", "cac:AdditionalDocumentReference", "cbc:DocumentDescription"),
    ("UBL-SR-34", "line", "cbc:Note"),
    ("UBL-SR-35", "line", "cac:OrderLineReference/cbc:LineID"),
    ("UBL-SR-36", "line", "cac:InvoicePeriod"),
    ("UBL-SR-37", "line", "cac:Price/cac:AllowanceCharge/cbc:Amount"),
    ("UBL-SR-39", "", "cac:ProjectReference/cbc:ID"),
    ("UBL-SR-40", "", f"{_BUYER}/cac:PartyName/cbc:Name"),
    ("UBL-SR-45", "", "cac:PaymentMeans/cbc:PaymentDueDate"),
    ("UBL-SR-49", "", "cac:InvoicePeriod/cbc:DescriptionCode"),
    ("UBL-SR-50", "line", "cac:Item/cbc:Description"),
    ("UBL-SR-51", "cac:PostalAddress", "cac:AddressLine"),
    ("UBL-SR-51", "cac:Address", "cac:AddressLine"),
    ("UBL-SR-52", "line", "cac:DocumentReference"),
    ("UBL-SR-54", "", "cac:PaymentMeans/cac:CardAccount"),
    ("UBL-SR-55", "", "cac:PaymentMeans/cac:PaymentMandate"),
    ("UBL-SR-56", "", "cac:OriginatorDocumentReference/cbc:ID"),
)
_LINES = ("cac:InvoiceLine", "cac:CreditNoteLine")
_INDICATORS = {"allowance": ("false", "0"), "charge": ("true", "1")}

ATTRIBUTES_WITHOUT_TERM: dict[str, str] = {
    "schemeName": "UBL-DT-08",
    "schemeAgencyName": "UBL-DT-09",
    "schemeDataURI": "UBL-DT-10",
    "schemeURI": "UBL-DT-11",
    "format": "UBL-DT-12",
    "unitCodeListIdentifier": "UBL-DT-13",
    "unitCodeListAgencyIdentifier": "UBL-DT-14",
    "unitCodeListAgencyName": "UBL-DT-15",
    "listAgencyName": "UBL-DT-16",
    "listName": "UBL-DT-17",
    "name": "UBL-DT-18",
    "languageID": "UBL-DT-19",
    "listURI": "UBL-DT-20",
    "listSchemeURI": "UBL-DT-21",
    "languageLocaleID": "UBL-DT-22",
    "uri": "UBL-DT-23",
    "currencyCodeListVersionID": "UBL-DT-24",
    "characterSetCode": "UBL-DT-25",
    "encodingCode": "UBL-DT-26",
    "schemeAgencyID": "UBL-DT-27",
    "listAgencyID": "UBL-DT-28",
}

SYNTAX_RULES = frozenset(
    {
        *(rule for rule, _, _ in AT_MOST_ONCE),
        *ATTRIBUTES_WITHOUT_TERM.values(),
        *("UBL-SR-48", "UBL-DT-01", "UBL-DT-06", "UBL-DT-07"),
    }
)
"""The rules that `judge_syntax` knows."""


def judge_syntax(root: Element) -> Iterator[Finding]:
    """The findings of all rules on the file of one document."""
    yield from _repeats(root)
    yield from _lines_without_one_category(root)
    yield from _data_types(root)


def _contexts(root: Element, context: str) -> Iterator[Element]:
    if not context:
        yield root
        return
    if context in _INDICATORS:
        for element in root.iter(qualified("cac:AllowanceCharge")):
            if (element.findtext("cbc:ChargeIndicator", "", PREFIXES) or "").strip() in _INDICATORS[context]:
                yield element
        return
    for name in _LINES if context == "line" else (context,):
        yield from root.iter(qualified(name))


def _repeats(root: Element) -> Iterator[Finding]:
    for rule, context, path in AT_MOST_ONCE:
        for element in _contexts(root, context):
            count = len(element.findall(path, PREFIXES))
            if count > 1:
                name = path.replace("cac:", "").replace("cbc:", "")
                yield Finding(rule, "fatal", context, f"{name} may stand once at most", (("count", str(count)),))
                break


def _lines_without_one_category(root: Element) -> Iterator[Finding]:
    for line in _contexts(root, "line"):
        count = len(line.findall("cac:Item/cac:ClassifiedTaxCategory", PREFIXES))
        if count != 1:
            message = "an item has exactly one VAT category"
            yield Finding("UBL-SR-48", "fatal", "line", message, (("count", str(count)),))
            return


def _data_types(root: Element) -> Iterator[Finding]:
    met: dict[str, int] = {}
    for element in root.iter():
        name = local_name(element)
        for finding in (*_value_types(element, name), *_attributes(element, name)):
            met[finding.rule] = met.get(finding.rule, 0) + 1
            if met[finding.rule] <= LIMITS.findings_count_max:
                yield finding


def _value_types(element: Element, name: str) -> Iterator[Finding]:
    if name.endswith("Amount") and not name.endswith("PriceAmount") and not _in_price(element):
        decimals = (element.text or "").partition(".")[2]
        if len(decimals) > 2:
            yield Finding(
                "UBL-DT-01", "fatal", name, "an amount has two decimals at most", ((name, str(element.text)[:80]),)
            )
    elif name.endswith("BinaryObject"):
        if "mimeCode" not in element.attrib:
            yield Finding("UBL-DT-06", "fatal", name, "a file inside the document has a media type")
        if "filename" not in element.attrib:
            yield Finding("UBL-DT-07", "fatal", name, "a file inside the document has a name")


def _in_price(element: Element) -> bool:
    """Whether the element stands in the allowance of a price, whose amounts have any number of decimals."""
    parent = element.getparent()
    if parent is None or parent.tag != qualified("cac:AllowanceCharge"):
        return False
    above = parent.getparent()
    return above is not None and above.tag == qualified("cac:Price")


def _attributes(element: Element, name: str) -> Iterator[Finding]:
    for attribute, value in attributes(element):
        rule = ATTRIBUTES_WITHOUT_TERM.get(attribute)
        if rule is not None and not (rule == "UBL-DT-18" and name == "PaymentMeansCode"):
            message = f"the attribute {attribute} has no business term"
            yield Finding(rule, "warning", name, message, ((f"@{attribute}", value[:80]),))
