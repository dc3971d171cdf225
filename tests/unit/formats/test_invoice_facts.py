"""The way in refuses what breaks the standard, the way out issues only what Peppol takes, and facts survive both."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.formats.documents import CREDIT_NOTE, CREDIT_NOTE_FILE, EXAMPLES, INVOICE, INVOICE_FILE, changed, eur

from interfirm.base.errors import Refusal
from interfirm.base.money import Money, Quantity, Rate, UnitPrice
from interfirm.base.time import Day
from interfirm.formats.en16931 import Document, model
from interfirm.formats.facts import (
    AccountFacts,
    AdjustmentFacts,
    InvoiceFacts,
    LineFacts,
    PartyFacts,
    PrecedingFacts,
    TaxGroupFacts,
    TotalsFacts,
)
from interfirm.formats.invoice_export import document_of, export_invoice
from interfirm.formats.invoice_import import facts_of, import_invoice
from interfirm.formats.peppol import RULES, judge_issued
from interfirm.formats.ubl import write_ubl

VAT = Rate(210_000)


def money(minor: int) -> Money:
    return Money(minor, "EUR")


def refusal_of(data: bytes) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        import_invoice(data)
    return refusal.value


def test_the_scenarios_invoice_gives_its_figures() -> None:
    facts = import_invoice(INVOICE_FILE).facts
    assert (facts.number, facts.kind, facts.is_credit_note) == ("INV-2026-0001", "380", False)
    assert (facts.issued, facts.due, facts.delivered) == (
        Day.of(2026, 10, 5),
        Day.of(2026, 11, 19),
        Day.of(2026, 10, 2),
    )
    assert (facts.totals.net, facts.totals.tax, facts.totals.payable) == (
        money(11_250_000),
        money(2_362_500),
        money(13_612_500),
    )
    assert [(line.item, line.quantity, line.price, line.net) for line in facts.lines] == [
        ("B100", Quantity(1000, 0, "C62"), UnitPrice(6250, 2, "EUR"), money(6_250_000)),
        ("B200", Quantity(600, 0, "C62"), UnitPrice(8125, 2, "EUR"), money(4_875_000)),
    ]
    assert facts.adjustments == (AdjustmentFacts(True, money(125_000), "Freight", "S", VAT, "FC"),)
    assert facts.groups == (TaxGroupFacts("S", VAT, money(11_250_000), money(2_362_500)),)
    assert (facts.seller.name, facts.seller.tax_id) == ("Nordmark Components NV", "BE0987654394")
    assert facts.account == AccountFacts("BE68539007547034", "Nordmark Components NV")
    assert facts.payee is None


def test_the_scenarios_credit_note_gives_its_figures() -> None:
    facts = import_invoice(CREDIT_NOTE_FILE).facts
    assert (facts.number, facts.is_credit_note) == ("CN-2026-0001", True)
    assert (facts.totals.net, facts.totals.tax, facts.totals.gross) == (money(81_250), money(17_063), money(98_313))
    assert facts.preceding == (PrecedingFacts("INV-2026-0001", Day.of(2026, 10, 5)),)


def test_the_altered_invoice_differs_in_its_number_only() -> None:
    altered = import_invoice((EXAMPLES / "invoice-altered.xml").read_bytes()).facts
    original = import_invoice(INVOICE_FILE).facts
    assert altered.number == "INV-2026-0001-A"
    assert altered.replace(number=original.number, remittance=original.remittance) == original


@pytest.mark.parametrize("data", [INVOICE_FILE, CREDIT_NOTE_FILE], ids=["invoice", "credit note"])
def test_facts_survive_the_way_out_and_in(data: bytes) -> None:
    facts = import_invoice(data).facts
    assert import_invoice(export_invoice(facts)).facts == facts


def test_an_invoice_may_be_paid_to_a_factor() -> None:
    facts = import_invoice(INVOICE_FILE).facts
    payee = PartyFacts("Lumen Factors NV", registration="0765432146", registration_scheme="0208")
    read = import_invoice(export_invoice(facts.replace(payee=payee, account=AccountFacts("BE41539007547035")))).facts
    assert (read.payee, read.account) == (payee, AccountFacts("BE41539007547035"))


def test_a_due_day_of_a_credit_note_stands_in_its_payment() -> None:
    facts = import_invoice(CREDIT_NOTE_FILE).facts.replace(due=Day.of(2026, 11, 19), means="58",
                                                           account=AccountFacts("BE68539007547034"))  # fmt: skip
    assert import_invoice(export_invoice(facts)).facts == facts


@pytest.mark.parametrize(
    ("old", "new", "rules"),
    [
        (b"136125.00</cbc:PayableAmount>", b"136126.00</cbc:PayableAmount>", ["BR-CO-16"]),
        (b">EUR</cbc:DocumentCurrencyCode>", b">EEK</cbc:DocumentCurrencyCode>", ["BR-CO-15", "BR-CL-04"]),
        (b"<cbc:IssueDate>2026-10-05</cbc:IssueDate>", b"", ["BR-03"]),
        (b">62.50</cbc:PriceAmount>", b">-62.50</cbc:PriceAmount>", ["BR-27"]),
        (b"2026-11-19</cbc:DueDate>", b"soon</cbc:DueDate>", ["ubl.value"]),
    ],
)
def test_a_file_that_breaks_rules_is_refused_with_their_ids(old: bytes, new: bytes, rules: list[str]) -> None:
    assert old in INVOICE_FILE
    refusal = refusal_of(INVOICE_FILE.replace(old, new, 1))
    assert refusal.code == "invoice.en16931"
    assert refusal.values["rules"] == rules


def test_a_number_that_no_ledger_holds_is_refused() -> None:
    fine = changed(INVOICE, ("lines.0.price.amount", eur("62.50000000001")))
    refusal = refusal_of(write_ubl(Document(fine)))
    assert (refusal.code, refusal.values["term"]) == ("invoice.decimals", "BT-146")
    odd_rate = changed(INVOICE, ("lines.0.allowances_charges", (
        model.AllowanceCharge(False, "95", amount=eur("0.00")),)), ("tax_totals.0.breakdown.0.category.rate",
                                                                    Decimal("21.000001")))  # fmt: skip
    with pytest.raises(Refusal, match=r"invoice\.decimals"):
        facts_of(odd_rate)


def test_decimals_of_a_currency_without_cents_are_refused() -> None:
    yen = write_ubl(Document(INVOICE)).replace(b"EUR", b"JPY").replace(b"62.50<", b"62<").replace(b"81.25<", b"81<")
    assert import_invoice(yen).facts.totals.payable == Money(136_125, "JPY")
    refusal = refusal_of(yen.replace(b"62500.00<", b"62500.50<").replace(b"48750.00<", b"48749.50<"))
    assert refusal.code == "invoice.decimals"


def test_a_currency_without_minor_unit_is_refused() -> None:
    assert refusal_of(INVOICE_FILE.replace(b"EUR", b"XAU")).code == "money.currency"


def test_what_no_judge_would_pass_is_incomplete() -> None:
    with pytest.raises(Refusal, match=r"invoice\.incomplete"):
        facts_of(model.Invoice("Invoice"))
    with pytest.raises(Refusal, match=r"invoice\.incomplete.*BT-129"):
        facts_of(changed(INVOICE, ("lines.0.quantity", None)))
    with pytest.raises(Refusal, match=r"invoice\.incomplete.*BT-146"):
        facts_of(changed(INVOICE, ("lines.0.price.amount.value", None)))


def test_warnings_do_not_refuse() -> None:
    data = INVOICE_FILE.replace(
        b"<cbc:BuyerReference>", b"<cbc:LineCountNumeric>2</cbc:LineCountNumeric><cbc:BuyerReference>"
    )
    imported = import_invoice(data)
    assert [finding.rule for finding in imported.warnings] == ["ubl.unmapped"]


LINE = "lines.0"
ISSUED: list[tuple[str, list[tuple[str, Any]]]] = [
    ("PEPPOL-EN16931-R001", [("profile_id", None)]),
    ("PEPPOL-EN16931-R002", [("notes", ("one", "two"))]),
    ("PEPPOL-EN16931-R003", [("buyer_reference", None), ("order_reference", None)]),
    ("PEPPOL-EN16931-R004", [("customization_id", "urn:cen.eu:en16931:2017")]),
    ("PEPPOL-EN16931-R005 PEPPOL-EN16931-R054", [("tax_currency", "EUR")]),
    ("PEPPOL-EN16931-R007", [("profile_id", "urn:fdc:peppol.eu:2017:poacc:ordering:01:1.0")]),
    ("PEPPOL-EN16931-R010", [("buyer.endpoint", None)]),
    ("PEPPOL-EN16931-R020", [("seller.endpoint", None)]),
    ("PEPPOL-EN16931-R040", [("allowances_charges.0.base_amount", eur("10000.00")),
                             ("allowances_charges.0.percentage", Decimal("12.6"))]),
    ("PEPPOL-EN16931-R041", [("allowances_charges.0.percentage", Decimal("12.5"))]),
    ("PEPPOL-EN16931-R042", [("allowances_charges.0.base_amount", eur("10000.00"))]),
    ("PEPPOL-EN16931-R044", [(f"{LINE}.price.discount", model.AllowanceCharge(True, amount=eur("0.00")))]),
    ("PEPPOL-EN16931-R046", [(f"{LINE}.price.discount",
                              model.AllowanceCharge(False, amount=eur("1.00"), base_amount=eur("63.51")))]),
    ("PEPPOL-EN16931-R051", [(f"{LINE}.price.amount.currency", "SEK")]),
    ("PEPPOL-EN16931-R053 PEPPOL-EN16931-R054 BR-CO-15",
     [("tax_totals", (*INVOICE.tax_totals * 2, model.TaxTotal(eur("0"))))]),
    ("PEPPOL-EN16931-R055", [("tax_currency", "SEK"), ("tax_totals", (
        *INVOICE.tax_totals, model.TaxTotal(model.Amount(Decimal("-1"), "SEK"))))]),
    ("PEPPOL-EN16931-R061", [("payment_instructions.0.code", "59")]),
    ("PEPPOL-EN16931-R101", [(f"{LINE}.object", model.LineObject(model.Identifier("1"), "50"))]),
    ("PEPPOL-EN16931-R110", [("period", model.Period("2026-09-01", "2026-09-30")),
                             (f"{LINE}.period", model.Period("2026-09-01", "2026-10-01"))]),
    ("PEPPOL-EN16931-R120", [(f"{LINE}.quantity.value", Decimal(1001))]),
    ("PEPPOL-EN16931-R120", [(f"{LINE}.price.amount", eur("62.51"))]),
    ("PEPPOL-EN16931-R121", [(f"{LINE}.price.base_quantity", model.Quantity(Decimal(0), "C62"))]),
    ("PEPPOL-EN16931-R130", [(f"{LINE}.price.base_quantity", model.Quantity(Decimal(1), "KGM"))]),
    ("PEPPOL-EN16931-P0100", [("type_code", "384")]),
    ("PEPPOL-EN16931-F001", [("issue_date", "2026-10-05Z")]),
    ("PEPPOL-COMMON-R040", [("seller.identifiers", (model.Identifier("7300010000002", "0088"),))]),
    ("PEPPOL-COMMON-R041", [("seller.identifiers", (model.Identifier("923609017", "0192"),))]),
    ("PEPPOL-COMMON-R043", [("seller.endpoint.value", "0987654393")]),
    ("PEPPOL-COMMON-R043", [("buyer.legal_id.value", "BE0812345603")]),
    ("BR-CO-17", [("tax_totals.0.amount", eur("23625.01")), ("tax_totals.0.breakdown.0.tax_amount", eur("23625.01")),
                  ("totals.with_vat", eur("136125.01")), ("totals.payable", eur("136125.01"))]),
    *[(rule, [("tax_totals.0.breakdown.0.category", model.TaxCategory("S", Decimal(21), code)), ("S-10", None)])
      for rule, code in (("PEPPOL-EN16931-P0104", "VATEX-EU-G"), ("PEPPOL-EN16931-P0105", "VATEX-EU-O"),
                         ("PEPPOL-EN16931-P0106", "VATEX-EU-IC"), ("PEPPOL-EN16931-P0107", "VATEX-EU-AE"),
                         ("PEPPOL-EN16931-P0108", "VATEX-EU-D"), ("PEPPOL-EN16931-P0109", "VATEX-EU-F"),
                         ("PEPPOL-EN16931-P0110", "VATEX-EU-I"), ("PEPPOL-EN16931-P0111", "VATEX-EU-J"))],
]  # fmt: skip


@pytest.mark.parametrize(("rules", "changes"), ISSUED)
def test_a_document_is_issued_only_as_peppol_takes_it(rules: str, changes: list[tuple[str, Any]]) -> None:
    # a reason for exemption on the standard rate breaks BR-S-10 besides
    expected = set(rules.split()) | ({"BR-S-10"} if ("S-10", None) in changes else set())
    document = Document(changed(INVOICE, *(change for change in changes if change[0] != "S-10")))
    assert {finding.rule for finding in judge_issued(document)} == expected


def test_every_rule_of_issuing_has_a_document_that_breaks_it() -> None:
    tested = {rule for rules, _ in ISSUED for rule in rules.split()} | {"PEPPOL-EN16931-R080"}
    assert {rule.id for rule in RULES} <= tested
    project = model.SupportingDocument(model.Identifier("P"), "50")
    document = Document(CREDIT_NOTE.replace(supporting_documents=(project, project)))
    assert {finding.rule for finding in judge_issued(document)} == {"PEPPOL-EN16931-R080"}


def test_german_parties_may_write_more_and_correct() -> None:
    german = [("seller.address.country", "DE"), ("buyer.address.country", "DE")]
    document = Document(changed(INVOICE, *german, ("notes", ("one", "two")), ("type_code", "384")))
    assert judge_issued(document) == ()


def test_an_export_is_refused_like_an_import() -> None:
    facts = import_invoice(INVOICE_FILE).facts
    with pytest.raises(Refusal) as refusal:
        export_invoice(facts.replace(totals=facts.totals.replace(payable=money(13_612_600))))
    assert refusal.value.code == "invoice.en16931"
    assert refusal.value.values["rules"] == ["BR-CO-16"]


def plain(value: int, scale: int, scale_min: int) -> tuple[int, int]:
    """The same number without needless zeros, as an import gives it."""
    while scale > scale_min and value % 10 == 0:
        value, scale = value // 10, scale - 1
    return value, scale


@st.composite
def issued(draw: st.DrawFn) -> InvoiceFacts:
    """Any invoice of ours, whose sums follow from its lines."""
    example = import_invoice(INVOICE_FILE).facts
    lines = []
    for number in range(draw(st.integers(1, 4))):
        quantity = Quantity(*plain(draw(st.integers(1, 10**6)), draw(st.integers(0, 3)), 0), "KGM")
        price = UnitPrice(*plain(draw(st.integers(0, 10**6)), draw(st.integers(2, 5)), 2), "EUR")
        base = draw(st.sampled_from((None, 1, 10, 100)))
        goods = price.total(quantity, base_quantity=base or 1)
        off = money(draw(st.integers(0, 500)))
        allowances = (AdjustmentFacts(False, off, "Discount", "S", VAT, "95"),) if off.minor else ()
        lines.append(
            LineFacts(
                str(number), "Goods", quantity, price, goods - off, "S", VAT, adjustments=allowances,
                base_quantity=Quantity(base, 0, "KGM") if base not in (None, 1) else None,
            )
        )  # fmt: skip
    freight = AdjustmentFacts(True, money(draw(st.integers(0, 10**6))), "Freight", "S", VAT, "FC")
    zero = money(0)
    total = sum((line.net for line in lines), zero)
    net = total + freight.amount
    tax, paid = net.share(VAT), money(draw(st.integers(0, 100)))
    return example.replace(
        lines=tuple(lines),
        adjustments=(freight,),
        groups=(TaxGroupFacts("S", VAT, net, tax),),
        totals=TotalsFacts(total, zero, freight.amount, net, tax, net + tax, paid, zero, net + tax - paid),
    )


@settings(max_examples=40, deadline=None)
@given(issued())
def test_any_invoice_of_ours_is_issued_and_reads_the_same(invoice: InvoiceFacts) -> None:
    assert import_invoice(export_invoice(invoice)).facts == invoice
    assert facts_of(document_of(invoice)) == invoice


def test_examples_are_what_the_tests_say() -> None:
    assert {path.name for path in Path(EXAMPLES).glob("*.xml")} >= {
        "invoice-2026-0001.xml",
        "invoice-altered.xml",
        "credit-note-2026-0001.xml",
        "statement-2026-11-24.camt053.xml",
    }
    assert CREDIT_NOTE.kind == "CreditNote"
