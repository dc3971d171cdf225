"""Every rule has a document that breaks it, one change away from a valid one, and no other rule is broken by that."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.unit.formats.documents import CREDIT_NOTE, INVOICE, broken, changed, eur, in_category

from interfirm.base.errors import Refusal
from interfirm.formats.en16931 import RULES, Document, fatal, judge, refuse_findings
from interfirm.formats.en16931.model import (
    Account,
    Address,
    AllowanceCharge,
    Amount,
    Attachment,
    Classification,
    Delivery,
    Identifier,
    ItemProperty,
    LineObject,
    Party,
    PaymentCard,
    PaymentInstructions,
    Period,
    PrecedingInvoice,
    Price,
    Quantity,
    SupportingDocument,
    TaxCategory,
    TaxRegistration,
    TaxTotal,
    VatBreakdown,
)
from interfirm.formats.en16931.rules.vat import CATEGORIES, Category

S21 = TaxCategory("S", Decimal(21))
ALLOWANCE = AllowanceCharge(False, "95", "Discount", None, eur("0.00"), None, S21)
CHARGE = AllowanceCharge(True, "FC", "Freight", None, eur("0.00"), None, S21)
LINE_ALLOWANCE = ALLOWANCE.replace(category=None)
LINE_CHARGE = CHARGE.replace(category=None)
REPRESENTATIVE = Party(
    trading_name="Agent", address=Address(country="BE"), tax_registrations=(TaxRegistration("BE0765432146"),)
)
PAYEE = Party(trading_name="Lumen Factors NV")
MEANS = INVOICE.payment_instructions[0]


def test_the_examples_break_no_rule() -> None:
    assert broken(INVOICE) == set()
    assert broken(CREDIT_NOTE) == set()


@pytest.mark.parametrize("code", [category.code for category in CATEGORIES])
def test_every_vat_category_has_a_valid_document(code: str) -> None:
    assert broken(in_category(code)) == set()


VALID: dict[str, list[tuple[str, Any]]] = {
    "a payee": [("payee", PAYEE)],
    "a tax representative": [("tax_representative", REPRESENTATIVE)],
    "allowances and charges of nothing": [
        ("allowances_charges", (*INVOICE.allowances_charges, ALLOWANCE, CHARGE)),
        ("totals.allowances", eur("0.00")),
        ("lines.0.allowances_charges", (LINE_ALLOWANCE, LINE_CHARGE)),
    ],
    "an accounting currency": [
        ("tax_currency", "SEK"),
        ("tax_totals", (*INVOICE.tax_totals, TaxTotal(Amount(Decimal("250000.00"), "SEK")))),
    ],
    "periods": [("period", Period("2026-09-01", "2026-09-30")), ("lines.0.period", Period("2026-09-01"))],
    "prepaid and rounded": [
        ("totals.paid", eur("100000.00")), ("totals.rounding", eur("-0.01")), ("totals.payable", eur("36124.99")),
    ],
    "a tax within one of the rate": [
        ("tax_totals.0.amount", eur("23625.99")), ("tax_totals.0.breakdown.0.tax_amount", eur("23625.99")),
        ("totals.with_vat", eur("136125.99")), ("totals.payable", eur("136125.99")),
    ],
    "a note with a subject": [("notes", ("#AAI#general", "plain #1 of 2#", "#no"))],
    "identifiers and attachments": [
        ("seller.identifiers", (Identifier("7300010000001", "0088"), Identifier("BE98ZZZ", "SEPA"))),
        ("supporting_documents", (
            SupportingDocument(Identifier("1"), attachment=Attachment("eA==", "text/csv", "x.csv")),
            SupportingDocument(Identifier("object", "AAA"), "130"),
        )),
        ("lines.0.item.standard_id", Identifier("4006381333931", "0160")),
        ("lines.0.item.classifications", (Classification("42121513", "TST"),)),
        ("lines.0.item.properties", (ItemProperty("Colour", "Red"),)),
        ("lines.0.object", LineObject(Identifier("meter", "AAA"), "130")),
    ],
    "a VAT identifier of Greece": [("buyer.tax_registrations", (TaxRegistration("EL123456789"),))],
    "terms and no due date": [("due_date", None), ("payment_terms", "at once")],
    "nothing due and no due date": [
        ("due_date", None), ("payment_terms", None), ("totals.paid", eur("136125.00")), ("totals.payable", eur("0.00")),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", VALID)
def test_what_may_be_is_not_refused(name: str) -> None:
    assert broken(changed(INVOICE, *VALID[name])) == set()


ONE_CHANGE: list[tuple[str, list[tuple[str, Any]]]] = [
    ("BR-01", [("customization_id", " ")]),
    ("BR-02", [("number", None)]),
    ("BR-03", [("issue_date", None)]),
    ("BR-04", [("type_code", None)]),
    ("BR-05", [("currency", None)]),
    ("BR-06", [("seller.legal_name", None)]),
    ("BR-07", [("buyer.legal_name", "")]),
    ("BR-08", [("seller.address", None)]),
    ("BR-09", [("seller.address.country", None)]),
    ("BR-10", [("buyer.address", None)]),
    ("BR-11", [("buyer.address.country", None)]),
    ("BR-12 BR-CO-10 BR-CO-13", [("totals.line_net", None)]),
    ("BR-13 BR-CO-13 BR-CO-15", [("totals.without_vat", None)]),
    ("BR-14 BR-CO-15 BR-CO-16", [("totals.with_vat", None)]),
    ("BR-15 BR-CO-16", [("totals.payable", None)]),
    ("BR-16 BR-CO-10 BR-S-08", [("lines", ())]),
    ("BR-17 UBL-SR-19 UBL-SR-20 UBL-SR-21", [("payee", Party())]),
    ("BR-17", [("payee", Party(trading_name="Nordmark")), ("seller.trading_name", "Nordmark")]),
    ("BR-17", [("payee", PAYEE.replace(identifiers=(Identifier("1"),))), ("seller.identifiers", (Identifier("1"),))]),
    ("UBL-SR-19 UBL-SR-20 UBL-SR-21", [("payee", Party(trading_name="Nordmark Components NV"))]),
    ("UBL-SR-20", [("payee", PAYEE.replace(identifiers=(Identifier("1"), Identifier("2"))))]),
    ("BR-18", [("tax_representative", REPRESENTATIVE.replace(trading_name=None))]),
    ("BR-19", [("tax_representative", REPRESENTATIVE.replace(address=None))]),
    ("BR-20", [("tax_representative", REPRESENTATIVE.replace(address=Address()))]),
    ("BR-21", [("lines.0.id", "")]),
    ("BR-22 BR-23", [("lines.0.quantity", None)]),
    ("BR-23", [("lines.0.quantity.unit", None)]),
    ("BR-24 BR-CO-10 BR-S-08", [("lines.0.net_amount", None)]),
    ("BR-25", [("lines.0.item.name", None)]),
    ("BR-26 BR-27", [("lines.0.price", Price())]),
    ("BR-27", [("lines.0.price.amount", eur("-62.50"))]),
    ("BR-28", [("lines.0.price.discount", ALLOWANCE.replace(base_amount=eur("-1.00")))]),
    ("BR-29", [("period", Period("2026-10-02", "2026-10-01"))]),
    ("BR-30", [("lines.1.period", Period("2026-10-02", "2026-10-01"))]),
    ("BR-38 BR-CO-22", [("allowances_charges.0.reason", None), ("allowances_charges.0.reason_code", None)]),
    ("BR-41", [("lines.0.allowances_charges", (LINE_ALLOWANCE.replace(amount=None),))]),
    ("BR-42 BR-CO-23", [("lines.0.allowances_charges", (LINE_ALLOWANCE.replace(reason=None, reason_code=None),))]),
    ("BR-43", [("lines.0.allowances_charges", (LINE_CHARGE.replace(amount=None),))]),
    ("BR-44 BR-CO-24", [("lines.0.allowances_charges", (LINE_CHARGE.replace(reason=None, reason_code=None),))]),
    ("BR-45 BR-CO-17 BR-S-08 BR-S-09", [("tax_totals.0.breakdown.0.taxable_amount", None)]),
    ("BR-46 BR-CO-14 BR-CO-17 BR-S-09", [("tax_totals.0.breakdown.0.tax_amount", None)]),
    ("BR-47 BR-48 BR-CO-17 BR-S-01", [("tax_totals.0.breakdown.0.category", None)]),
    ("BR-48 BR-CO-17 BR-S-09", [("tax_totals.0.breakdown.0.category.rate", None)]),
    ("BR-49", [("payment_instructions.0.code", None)]),
    ("BR-50", [("payment_instructions.0.account.id", "")]),
    ("BR-51", [("payment_instructions.0.card", PaymentCard("12345678901"))]),
    ("BR-52", [("supporting_documents", (SupportingDocument(),))]),
    ("BR-53", [("tax_currency", "SEK")]),
    ("BR-54", [("lines.0.item.properties", (ItemProperty("Colour"),))]),
    ("BR-54", [("lines.0.item.properties", (ItemProperty(value="Red"),))]),
    ("BR-55 UBL-SR-07", [("preceding_invoices", (PrecedingInvoice(),))]),
    ("BR-56", [("tax_representative", REPRESENTATIVE.replace(tax_registrations=()))]),
    ("BR-57", [("delivery", Delivery(address=Address()))]),
    ("BR-61", [("payment_instructions.0.account", None)]),
    ("BR-50 BR-61", [("payment_instructions.0", PaymentInstructions("58", account=Account()))]),
    ("BR-62", [("seller.endpoint.scheme", None)]),
    ("BR-63", [("buyer.endpoint.scheme", None)]),
    ("BR-64", [("lines.0.item.standard_id", Identifier("1"))]),
    ("BR-65", [("lines.0.item.classifications", (Classification("1"),))]),
    ("BR-CO-03", [("tax_point_date", "2026-10-05"), ("period", Period(description_code="3"))]),
    ("BR-CO-04", [("lines.0.item.category.scheme", None)]),
    ("BR-CO-09", [("buyer.tax_registrations.0.number", "0812345603")]),
    ("BR-CO-10 BR-CO-13", [("totals.line_net", eur("111250.01"))]),
    ("BR-CO-11 BR-CO-13", [("totals.allowances", eur("0.01"))]),
    ("BR-CO-11", [("allowances_charges", (*INVOICE.allowances_charges, ALLOWANCE))]),
    ("BR-CO-12 BR-CO-13", [("totals.charges", eur("1250.01"))]),
    ("BR-CO-13 BR-CO-15", [("totals.without_vat", eur("112500.01"))]),
    ("BR-CO-14 BR-CO-15", [("tax_totals.0.amount", eur("23625.01"))]),
    ("BR-CO-15 BR-CO-16", [("totals.with_vat", eur("136126.00"))]),
    ("BR-CO-15", [("tax_totals", (*INVOICE.tax_totals, TaxTotal(eur("23625.00"))))]),
    ("BR-CO-16", [("totals.payable", eur("136126.00"))]),
    ("BR-CO-16", [("totals.paid", eur("1.00"))]),
    ("BR-CO-16", [("totals.rounding", eur("1.00"))]),
    ("BR-CO-14 BR-CO-17 BR-S-09", [("tax_totals.0.breakdown.0.tax_amount", eur("23626.00"))]),
    ("BR-CO-18 BR-S-01", [("tax_totals.0.breakdown", ())]),
    ("BR-CO-19", [("period", Period())]),
    ("BR-CO-20", [("lines.0.period", Period())]),
    ("BR-CO-25", [("due_date", None), ("payment_terms", None)]),
    ("BR-CO-26", [("seller.legal_id", None), ("seller.tax_registrations.0.scheme", "TAX"),
                  ("seller.identifiers", (Identifier("BE98ZZZ", "SEPA"),))]),
    ("BR-DEC-05", [("allowances_charges.0.amount", eur("1250.000"))]),
    ("BR-DEC-06", [("allowances_charges.0.base_amount", eur("1250.000"))]),
    ("BR-DEC-09", [("totals.line_net", eur("111250.000"))]),
    ("BR-DEC-11", [("totals.charges", eur("1250.000"))]),
    ("BR-DEC-12", [("totals.without_vat", eur("112500.000"))]),
    ("BR-DEC-13", [("tax_totals.0.amount", eur("23625.000"))]),
    ("BR-DEC-14", [("totals.with_vat", eur("136125.000"))]),
    ("BR-DEC-15", [("tax_currency", "SEK"),
                   ("tax_totals", (*INVOICE.tax_totals, TaxTotal(Amount(Decimal("1.000"), "SEK"))))]),
    ("BR-DEC-16", [("totals.paid", eur("0.000"))]),
    ("BR-DEC-17", [("totals.rounding", eur("0.000"))]),
    ("BR-DEC-18", [("totals.payable", eur("136125.000"))]),
    ("BR-DEC-19", [("tax_totals.0.breakdown.0.taxable_amount", eur("112500.000"))]),
    ("BR-DEC-20", [("tax_totals.0.breakdown.0.tax_amount", eur("23625.000"))]),
    ("BR-DEC-23", [("lines.0.net_amount", eur("62500.000"))]),
    ("BR-DEC-24", [("lines.0.allowances_charges", (LINE_ALLOWANCE.replace(amount=eur("0.000")),))]),
    ("BR-DEC-25", [("lines.0.allowances_charges", (LINE_ALLOWANCE.replace(base_amount=eur("0.000")),))]),
    ("BR-DEC-27", [("lines.0.allowances_charges", (LINE_CHARGE.replace(amount=eur("0.000")),))]),
    ("BR-DEC-28", [("lines.0.allowances_charges", (LINE_CHARGE.replace(base_amount=eur("0.000")),))]),
    ("BR-CL-01", [("type_code", "381")]),
    ("BR-CL-03", [("totals.payable", Amount(Decimal("136125.00"), "EURO"))]),
    ("BR-CL-03", [("totals.payable", Amount(Decimal("136125.00")))]),
    ("BR-CL-04 BR-CO-15", [("currency", "XYZ")]),
    ("BR-CL-05 BR-53", [("tax_currency", "XYZ")]),
    ("BR-CL-06", [("period", Period(description_code="4"))]),
    ("BR-CL-07", [("supporting_documents", (SupportingDocument(Identifier("1", "!"), "130"),))]),
    ("BR-CL-07", [("lines.0.object", LineObject(Identifier("1", "!"), "130"))]),
    ("BR-CL-08", [("notes", ("#QQQ#unknown",))]),
    ("BR-CL-10", [("seller.identifiers", (Identifier("1", "9999"),))]),
    ("BR-CL-10", [("buyer.identifiers", (Identifier("1", "SEPA"),))]),
    ("BR-CL-11", [("buyer.legal_id.scheme", "9999")]),
    ("BR-CL-13", [("lines.0.item.classifications", (Classification("1", "!"),))]),
    ("BR-CL-14", [("buyer.address.country", "XX")]),
    ("BR-CL-15", [("lines.0.item.origin_country", "XX")]),
    ("BR-CL-16", [("payment_instructions.0.code", "99")]),
    ("BR-CL-17 BR-S-08", [("allowances_charges.0.category.code", "X")]),
    ("BR-CL-18 BR-S-08", [("lines.0.item.category.code", "X")]),
    ("BR-CL-19", [("lines.0.allowances_charges", (LINE_ALLOWANCE.replace(reason_code="FC"),))]),
    ("BR-CL-20", [("allowances_charges.0.reason_code", "95")]),
    ("BR-CL-21", [("lines.0.item.standard_id", Identifier("1", "9999"))]),
    ("BR-CL-22", [("lines.0.item.category.exemption_code", "VATEX-XX")]),
    ("BR-CL-23", [("lines.0.quantity.unit", "PIECES")]),
    ("BR-CL-23", [("lines.0.price.base_quantity", Quantity(Decimal(1), "PIECES"))]),
    ("BR-CL-24", [("supporting_documents", (
        SupportingDocument(Identifier("1"), attachment=Attachment("", "text/x")),))]),
    ("BR-CL-25", [("seller.endpoint.scheme", "9999")]),
    ("BR-CL-26", [("delivery.location_id", Identifier("1", "9999"))]),
    ("UBL-SR-04", [("supporting_documents", (SupportingDocument(Identifier("1"), "130"),) * 2)]),
    ("UBL-SR-12", [("seller.tax_registrations", (TaxRegistration("BE0987654394"),) * 2)]),
    ("UBL-SR-13", [("seller.tax_registrations", (TaxRegistration("1", "TAX"),) * 2)]),
    ("UBL-SR-18", [("buyer.tax_registrations", (TaxRegistration("BE0812345603"),) * 2)]),
    ("UBL-SR-29", [("seller.identifiers", (Identifier("1", "SEPA"), Identifier("2", "SEPA")))]),
    ("UBL-SR-42 UBL-SR-13", [("seller.tax_registrations", (TaxRegistration("1", "TAX"),) * 3)]),
    ("UBL-SR-43", [("supporting_documents", (SupportingDocument(Identifier("1"), "50"),))]),
    ("UBL-SR-44", [("payment_instructions", (MEANS, MEANS.replace(reference="other", text=None)))]),
    ("UBL-SR-46", [("payment_instructions", (MEANS, MEANS))]),
    ("UBL-SR-47", [("payment_instructions", (MEANS, MEANS.replace(code="31", text=None)))]),
    ("UBL-SR-53", [("buyer.tax_registrations", (TaxRegistration(None),))]),
    ("UBL-SR-53", [("buyer.tax_registrations", (TaxRegistration("1", None),))]),
    ("ubl.charge-indicator BR-CO-12 BR-S-08", [("allowances_charges.0.is_charge", None)]),
]  # fmt: skip
ON_ALLOWANCES: list[tuple[str, AllowanceCharge]] = [
    ("BR-31", ALLOWANCE.replace(amount=None)),
    ("BR-32", ALLOWANCE.replace(category=None)),
    ("BR-33 BR-CO-21", ALLOWANCE.replace(reason=None, reason_code=None)),
    ("BR-DEC-01", ALLOWANCE.replace(amount=eur("0.000"))),
    ("BR-DEC-02", ALLOWANCE.replace(base_amount=eur("0.000"))),
    ("BR-S-06", ALLOWANCE.replace(category=S21.replace(rate=Decimal(0)))),
    ("BR-36", CHARGE.replace(amount=None)),
    ("BR-37", CHARGE.replace(category=S21.replace(code=None))),
    ("BR-S-07", CHARGE.replace(category=S21.replace(rate=None))),
]


@pytest.mark.parametrize(("rules", "changes"), ONE_CHANGE)
def test_one_change_breaks_its_rules_and_no_other(rules: str, changes: list[tuple[str, Any]]) -> None:
    assert broken(changed(INVOICE, *changes)) == set(rules.split())


@pytest.mark.parametrize(("rules", "adjustment"), ON_ALLOWANCES)
def test_a_wrong_allowance_or_charge_breaks_its_rules_and_no_other(rules: str, adjustment: AllowanceCharge) -> None:
    held = (*INVOICE.allowances_charges, adjustment)
    changes: list[tuple[str, Any]] = [("allowances_charges", held)]
    if not adjustment.is_charge:
        changes.append(("totals.allowances", eur("0.00")))
    assert broken(changed(INVOICE, *changes)) == set(rules.split())


def test_a_decimal_of_an_allowance_total_is_counted() -> None:
    held = changed(
        INVOICE, ("allowances_charges", (*INVOICE.allowances_charges, ALLOWANCE)), ("totals.allowances", eur("0.000"))
    )
    assert broken(held) == {"BR-DEC-10"}


TWO_DECIMALS_OF_ALLOWANCES = "BR-DEC-10"


def category_changes(category: Category) -> dict[int, list[list[tuple[str, Any]]]]:
    """For each of the ten questions about a category, the changes that give a wrong answer."""
    group, line = "tax_totals.0.breakdown.0", "lines.0.item.category"
    code = category.code
    other = "E" if code != "E" else "Z"
    vat = (TaxRegistration("BE0987654394"),)
    unidentified: list[list[tuple[str, Any]]] = {
        "any tax number": [[("seller.tax_registrations", ())]],
        "VAT number": [[("seller.tax_registrations", (TaxRegistration("1", "TAX"),))]],
        "no VAT number": [[("seller.tax_registrations", vat)], [("tax_representative", REPRESENTATIVE)]],
    }[category.seller]
    if category.buyer:
        unidentified.append([("buyer.tax_registrations", vat if category.buyer == "no VAT number" else ())])
    wrong_rate = {"positive": "0", "not negative": "-1", "zero": "1", "absent": "0"}[category.rate]
    held = TaxCategory(code, in_category(code).breakdown[0].category.rate)  # type: ignore[union-attr] # a valid document
    used = {3: ALLOWANCE.replace(category=held), 4: CHARGE.replace(category=held)}
    changes: dict[int, list[list[tuple[str, Any]]]] = {
        1: [[(f"{group}.category.code", other)]],
        2: unidentified,
        5: [[(f"{line}.rate", Decimal(wrong_rate))]],
        8: [[(f"{group}.taxable_amount", eur("99.00"))], [(f"{group}.taxable_amount", None)], [("lines", ())]],
        9: [[(f"{group}.tax_amount", eur("900.00"))], [(f"{group}.tax_amount", None)]],
        10: [[(f"{group}.category.exemption_reason", None if category.exemption == "required" else "because")]],
    }
    for number, adjustment in used.items():
        changes[number] = [[*change, ("allowances_charges", (adjustment,))] for change in unidentified]
        wrong = adjustment.replace(category=held.replace(rate=Decimal(wrong_rate)))
        changes[number + 3] = [[("allowances_charges", (wrong,))]]
    return changes


BY_CATEGORY = [
    (f"{category.rules}-{number:02}", category.code, change)
    for category in CATEGORIES
    for number, changes in category_changes(category).items()
    for change in changes
]
BETWEEN_CATEGORIES: list[tuple[str, str, list[tuple[str, Any]]]] = [
    ("BR-IC-11", "K", [("delivery.date", None)]),
    ("BR-IC-11", "K", [("delivery.date", None), ("period", Period())]),
    ("BR-IC-12", "K", [("delivery.address", None)]),
    ("BR-O-11", "O", [("tax_totals.0.breakdown", (*in_category("O").breakdown, VatBreakdown(category=S21)))]),
    ("BR-O-12", "O", [("lines", (*in_category("O").lines, *in_category("S").lines))]),
    ("BR-O-13", "O", [("allowances_charges", (ALLOWANCE,))]),
    ("BR-O-14", "O", [("allowances_charges", (CHARGE,))]),
    ("BR-B-01", "S", [("lines.0.item.category.code", "B")]),
    ("BR-B-02", "S", [("allowances_charges", (CHARGE.replace(category=TaxCategory("B", Decimal(21))),))]),
    ("BR-S-08", "S", [("tax_totals.0.breakdown.0.category.rate", Decimal(20))]),
    ("BR-S-02", "S", [("lines.0.item.category.scheme", "GST")]),
    ("BR-CO-17", "Z", [("tax_totals.0.breakdown.0.tax_amount", eur("0.50"))]),
]


@pytest.mark.parametrize(("rule", "code", "changes"), BY_CATEGORY + BETWEEN_CATEGORIES)
def test_a_wrong_vat_category_breaks_its_rule(rule: str, code: str, changes: list[tuple[str, Any]]) -> None:
    assert rule in broken(changed(in_category(code), *changes))


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("K", [("delivery.date", None), ("period", Period("2026-10-01"))]),
        ("G", [("seller.tax_registrations", ()), ("tax_representative", REPRESENTATIVE)]),
        ("AE", [("buyer.tax_registrations", ()), ("buyer.legal_id", Identifier("1", "0002"))]),
        ("S", [("seller.tax_registrations", (TaxRegistration("1", "TAX"),))]),
        ("L", [("tax_totals.0.breakdown.0.taxable_amount", eur("100.99")), ("lines.0.net_amount", eur("100.00"))]),
    ],
)
def test_a_vat_category_has_more_than_one_right_answer(code: str, change: list[tuple[str, Any]]) -> None:
    assert broken(changed(in_category(code), *change)) == set()


def test_every_rule_has_a_document_that_breaks_it() -> None:
    tables = [rules for rules, _ in ONE_CHANGE] + [rules for rules, _ in ON_ALLOWANCES]
    tables += [rule for rule, _, _ in BY_CATEGORY + BETWEEN_CATEGORIES] + [TWO_DECIMALS_OF_ALLOWANCES]
    assert {rule.id for rule in RULES} == {rule for rules in tables for rule in rules.split()}


def test_a_credit_note_needs_no_due_date_and_has_types_of_its_own() -> None:
    assert CREDIT_NOTE.payment_due_date is None
    assert broken(CREDIT_NOTE.replace(type_code="380")) == {"BR-CL-01"}
    project = SupportingDocument(Identifier("P1"), "50")
    assert broken(CREDIT_NOTE.replace(supporting_documents=(project,))) == set()


def test_a_shortened_card_number_is_a_warning_only() -> None:
    document = Document(changed(INVOICE, ("payment_instructions.0.card", PaymentCard("12345678901"))))
    (finding,) = judge(document)
    assert (finding.rule, finding.severity) == ("BR-51", "warning")
    assert fatal(judge(document)) == ()
    refuse_findings(judge(document))


def test_a_refusal_names_the_rules_and_the_values() -> None:
    wrong = changed(INVOICE, ("totals.payable", eur("136126.00")), ("lines.1.id", None), ("lines.0.id", None))
    with pytest.raises(Refusal) as refusal:
        refuse_findings(judge(Document(wrong)))
    assert refusal.value.code == "invoice.en16931"
    assert refusal.value.values["rules"] == ["BR-21", "BR-CO-16"]
    line, payable = refusal.value.values["findings"]
    assert line["location"] == "BG-25[1]"
    assert payable["location"] == "BG-22"
    assert payable["message"] == "BT-115 = BT-112 - BT-113 + BT-114"
    assert payable["values"] == {"BT-115": "136126.00 EUR", "BT-112": "136125.00 EUR"}


def test_a_rule_is_listed_up_to_a_limit() -> None:
    many = INVOICE.replace(notes=("#QQQ#",) * 1000)
    assert len(judge(Document(many))) == 100


def test_many_lines_and_groups_are_judged() -> None:
    count = 3000
    lines = tuple(INVOICE.lines[0].replace(id=str(number)) for number in range(count))
    total = TaxTotal(eur("1.00"), INVOICE.breakdown * count)
    found = broken(INVOICE.replace(lines=lines, tax_totals=(total,)))
    assert {"BR-CO-10", "BR-CO-14", "BR-S-08"} <= found


def test_sums_are_exact_for_the_longest_numbers() -> None:
    longest = Amount(Decimal("9" * 31 + ".99"), "EUR")
    assert "BR-CO-10" not in broken(changed(INVOICE, ("totals.line_net", longest), ("lines.1.net_amount", longest),
                                            ("lines.0.net_amount", eur("0.00"))))  # fmt: skip
    assert "BR-CO-10" in broken(changed(INVOICE, ("totals.line_net", longest), ("lines.1.net_amount", longest),
                                        ("lines.0.net_amount", eur("0.01"))))  # fmt: skip
