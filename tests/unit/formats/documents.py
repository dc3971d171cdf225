"""Valid documents to start from, and ways to change one thing in them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from interfirm.formats.en16931 import judge
from interfirm.formats.en16931.model import (
    Address,
    Amount,
    Delivery,
    Document,
    Identifier,
    Invoice,
    Item,
    Line,
    Party,
    Price,
    Quantity,
    TaxCategory,
    TaxRegistration,
    TaxTotal,
    Totals,
    VatBreakdown,
)
from interfirm.formats.ubl import read_ubl

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
INVOICE_FILE = (EXAMPLES / "invoice-2026-0001.xml").read_bytes()
CREDIT_NOTE_FILE = (EXAMPLES / "credit-note-2026-0001.xml").read_bytes()
INVOICE = read_ubl(INVOICE_FILE).invoice
CREDIT_NOTE = read_ubl(CREDIT_NOTE_FILE).invoice


def eur(number: str) -> Amount:
    return Amount(Decimal(number), "EUR")


def put(value: Any, path: str, new: Any) -> Any:
    """A copy with another value at a path of fields and positions, such as `lines.0.price.amount`."""
    step, _, rest = path.partition(".")
    if isinstance(value, tuple):
        position = int(step)
        return (*value[:position], put(value[position], rest, new) if rest else new, *value[position + 1 :])
    return msgspec.structs.replace(value, **{step: put(getattr(value, step), rest, new) if rest else new})


def changed(invoice: Invoice, *changes: tuple[str, Any]) -> Invoice:
    for path, new in changes:
        invoice = put(invoice, path, new)
    return invoice


def broken(invoice: Invoice) -> set[str]:
    """The rules that a document breaks."""
    return {finding.rule for finding in judge(Document(invoice))}


def in_category(code: str) -> Invoice:
    """A valid invoice of one line, whose VAT is of one category."""
    rate = {"S": Decimal(21), "L": Decimal(7), "M": Decimal(4), "O": None}.get(code, Decimal(0))
    exempt = "for the reason of the law" if code in {"E", "AE", "K", "G", "O"} else None
    tax = eur("0.00") if not rate else eur(str(rate) + ".00")
    with_tax = eur(str(100 + int(rate or 0)) + ".00")
    numbers = () if code == "O" else (TaxRegistration("BE0987654394"),)
    category = TaxCategory(code, rate)
    return Invoice(
        "Invoice",
        customization_id="urn:cen.eu:en16931:2017",
        number="1",
        issue_date="2026-10-05",
        due_date="2026-11-04",
        type_code="380",
        currency="EUR",
        seller=Party(
            legal_name="Seller",
            legal_id=Identifier("0987654394", "0208"),
            address=Address(country="BE"),
            tax_registrations=numbers,
        ),
        buyer=Party(
            legal_name="Buyer",
            address=Address(country="FR"),
            tax_registrations=() if code == "O" else (TaxRegistration("FR12345678901"),),
        ),
        delivery=Delivery(date="2026-10-02", address=Address(country="FR")),
        tax_totals=(TaxTotal(tax, (VatBreakdown(eur("100.00"), tax, category.replace(exemption_reason=exempt)),)),),
        totals=Totals(eur("100.00"), eur("100.00"), with_tax, payable=with_tax),
        lines=(
            Line(
                "1",
                quantity=Quantity(Decimal(1), "C62"),
                net_amount=eur("100.00"),
                item=Item(name="Thing", category=category),
                price=Price(eur("100.00")),
            ),
        ),
    )
