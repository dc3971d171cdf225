"""What we issue holds more than the standard asks: Peppol BIS Billing 3, and arithmetic to the cent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.unit.formats.documents import CREDIT_NOTE, INVOICE, INVOICE_FILE, changed, eur

from interfirm.formats.en16931 import Document, model
from interfirm.formats.peppol import RULES, judge_issued
from interfirm.formats.ubl import read_ubl

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


def test_the_examples_may_be_issued_also_to_be_paid_to_a_factor() -> None:
    payee = model.Party(trading_name="Lumen Factors NV", legal_id=model.Identifier("0765432146", "0208"))
    assert judge_issued(Document(INVOICE)) == ()
    assert judge_issued(Document(CREDIT_NOTE)) == ()
    assert judge_issued(Document(INVOICE.replace(payee=payee))) == ()


@pytest.mark.parametrize(
    ("quantity", "price", "base", "net"),
    [
        ("3", "0.115", None, "0.35"),  # 0.345 rounds half up
        ("-3", "0.115", None, "-0.35"),  # and half away from zero below
        ("10", "1.00", "3", "3.33"),
        ("20", "1.00", "3", "6.67"),
        ("0.5", "0.01", "1", "0.01"),
    ],
)
def test_a_line_is_rounded_half_away_from_zero(quantity: str, price: str, base: str | None, net: str) -> None:
    line = changed(
        INVOICE.lines[0],
        ("quantity.value", Decimal(quantity)),
        ("price.amount", eur(price)),
        ("price.base_quantity", model.Quantity(Decimal(base), "C62") if base else None),
    )
    for amount, exact in ((Decimal(net), True), (Decimal(net) + Decimal("0.01"), False)):
        held = INVOICE.replace(lines=(line.replace(net_amount=model.Amount(amount, "EUR")),))
        broken = {finding.rule for finding in judge_issued(Document(held))}
        assert ("PEPPOL-EN16931-R120" not in broken) is exact


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        (b">136125.00</cbc:PayableAmount>", b">136126.00</cbc:PayableAmount>", "BR-CO-16"),
        (b'schemeID="0208">0812345603<', b'schemeID="0208">0812345604<', "PEPPOL-COMMON-R043"),
    ],
)
def test_a_changed_file_breaks_one_rule(old: bytes, new: bytes, rule: str) -> None:
    assert old in INVOICE_FILE
    assert {finding.rule for finding in judge_issued(read_ubl(INVOICE_FILE.replace(old, new)))} == {rule}
