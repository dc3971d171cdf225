"""What a document that we issue must hold beyond EN 16931: Peppol BIS Billing 3, and exact arithmetic.

Source: the PEPPOL-EN16931-UBL rules of Peppol BIS Billing 3.0, those that do not depend on a country, and those on
identifiers for the schemes 0088 (GLN), 0192 (Norway) and 0208 (Belgium). Where Peppol allows a slack (R120), and where
EN 16931 does (BR-CO-17), a document of ours has none. Imported documents are not judged by these rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.money import round_half_away
from interfirm.formats.en16931.codelists import INVOICE_TYPES
from interfirm.formats.en16931.findings import Finding
from interfirm.formats.en16931.judge import judge
from interfirm.formats.en16931.model import Document, Invoice
from interfirm.formats.en16931.places import AMOUNTS, View, at, number, total
from interfirm.formats.en16931.rule import Rule, filled
from interfirm.formats.identifiers import check_belgian_enterprise, check_gln, check_norwegian_organisation
from interfirm.formats.numbers import EXACT

CUSTOMIZATION = "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
PROFILE = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"
_PROFILES = re.compile(r"urn:fdc:peppol\.eu:2017:poacc:billing:[0-9]{2}:1\.0")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_SLACK = Decimal("0.02")
_INVOICE_TYPES = INVOICE_TYPES & {
    *("71", "80", "82", "84", "102", "218", "219", "326", "331", "380", "382", "383", "384", "386", "388", "393"),
    *("395", "553", "575", "623", "780", "817", "870", "875", "876", "877"),
}
_CREDIT_NOTE_TYPES = frozenset(("381", "396", "81", "83", "532"))
_GERMAN_TYPES = frozenset(("326", "384"))
_DIRECT_DEBITS = frozenset(("49", "59"))
_EXEMPTIONS = {
    # VATEX code: rule, the only category it goes with
    "VATEX-EU-G": ("PEPPOL-EN16931-P0104", "G"),
    "VATEX-EU-O": ("PEPPOL-EN16931-P0105", "O"),
    "VATEX-EU-IC": ("PEPPOL-EN16931-P0106", "K"),
    "VATEX-EU-AE": ("PEPPOL-EN16931-P0107", "AE"),
    "VATEX-EU-D": ("PEPPOL-EN16931-P0108", "E"),
    "VATEX-EU-F": ("PEPPOL-EN16931-P0109", "E"),
    "VATEX-EU-I": ("PEPPOL-EN16931-P0110", "E"),
    "VATEX-EU-J": ("PEPPOL-EN16931-P0111", "E"),
}
Test = Callable[[Any, View], bool]


def judge_issued(document: Document) -> tuple[Finding, ...]:
    """What is wrong in a document that we are about to issue: by EN 16931, by Peppol, and by exact arithmetic."""
    view = View(document.invoice)
    with localcontext(EXACT):
        own = tuple(finding for rule in RULES for finding in rule.findings(view))
    return (*judge(document), *own)


def _german(document: Invoice) -> bool:
    parties = (document.seller, document.buyer)
    return all(at(party, "address.country") == "DE" for party in parties)


def _one_note(document: Any, _view: View) -> bool:
    return len(document.notes) <= 1 or _german(document)


def _has_reference(document: Any, _view: View) -> bool:
    return filled(document.buyer_reference) or filled(document.order_reference)


def _type_is_allowed(document: Any, _view: View) -> bool:
    codes = _INVOICE_TYPES if document.kind == "Invoice" else _CREDIT_NOTE_TYPES
    return document.type_code in codes and (document.type_code not in _GERMAN_TYPES or _german(document))


def _one_currency(document: Any, view: View) -> bool:
    allowed = {"tax_total": {document.currency, document.tax_currency}}
    return all(
        amount.currency in allowed.get(context, {document.currency})
        for context in AMOUNTS
        for amount in view.values(context)
    )


def _one_breakdown(document: Any, _view: View) -> bool:
    return sum(bool(held.breakdown) for held in document.tax_totals) == 1


def _accounting_total(document: Any, _view: View) -> bool:
    plain = sum(not held.breakdown for held in document.tax_totals)
    return plain == int(document.tax_currency is not None)


def _same_sign(document: Any, _view: View) -> bool:
    own, other = (number(document.vat_total(code)) for code in (document.currency, document.tax_currency))
    return own is None or other is None or bool(own * other >= 0)


def _adjustment_is_the_share(held: Any, _view: View) -> bool:
    amount, base = number(held.amount), number(held.base_amount)
    if held.percentage is None or base is None or amount is None:
        return True
    return bool(abs(amount - base * held.percentage.scaleb(-2)) <= _SLACK)


def _price_is_gross_less_discount(line: Any, _view: View) -> bool:
    discount = at(line, "price.discount")
    gross = number(at(discount, "base_amount"))
    return gross is None or number(at(line, "price.amount")) == gross - total([discount.amount])


def _line_is_exact(line: Any, _view: View) -> bool:
    net, quantity, price = (at(line, path) for path in ("net_amount.value", "quantity.value", "price.amount.value"))
    base = at(line, "price.base_quantity.value")
    if None in (net, quantity, price) or base == 0:
        return True
    cents = Fraction(quantity) * Fraction(price) / Fraction(base if base is not None else 1) * 100
    goods = Decimal(round_half_away(cents.numerator, cents.denominator)).scaleb(-2)
    signed = [(held.amount, 1 if held.is_charge else -1) for held in line.allowances_charges]
    return bool(net == goods + sum((number(amount) or 0) * sign for amount, sign in signed))


def _tax_is_exact(group: Any, _view: View) -> bool:
    taxable, tax, rate = number(group.taxable_amount), number(group.tax_amount), at(group, "category.rate")
    if taxable is None or tax is None or rate is None:
        return True
    exact = Fraction(taxable) * Fraction(rate)
    return tax == Decimal(round_half_away(exact.numerator, exact.denominator)).scaleb(-2)


def _period_is_within(line: Any, view: View) -> bool:
    period, whole = line.period, view.invoice.period
    if period is None or whole is None:
        return True
    starts = period.start is None or whole.start is None or period.start >= whole.start
    return starts and (period.end is None or whole.end is None or period.end <= whole.end)


def _base_is_positive(line: Any, _view: View) -> bool:
    base = at(line, "price.base_quantity.value")
    return base is None or bool(base > 0)


def _one_unit(line: Any, _view: View) -> bool:
    base = at(line, "price.base_quantity.unit")
    return base is None or base == at(line, "quantity.unit")


def _exemption_fits(rule: str) -> Test:
    def holds(group: Any, _view: View) -> bool:
        code = (at(group, "category.exemption_code") or "").upper()
        fits = _EXEMPTIONS.get(code)
        return fits is None or fits[0] != rule or bool(group.category.code == fits[1])

    return holds


def _checked(scheme: str, check: Callable[[str], str]) -> Test:
    def holds(identifier: Any, _view: View) -> bool:
        if identifier.scheme != scheme:
            return True
        try:
            return bool(check(identifier.value or "") == identifier.value)
        except Refusal:
            return False

    return holds


def _days(document: Any, view: View) -> bool:
    periods = [*view.values("period"), *view.values("line_periods")]
    days = [document.issue_date, document.tax_point_date, document.payment_due_date, at(document, "delivery.date")]
    days += [day for period in periods for day in (period.start, period.end)]
    days += [held.issue_date for held in document.preceding_invoices]
    return all(day is None or _DAY.fullmatch(day) for day in days)


def _rules() -> Iterator[Rule]:
    def rule(name: str, context: str, holds: Test, message: str, *terms: tuple[str, str]) -> Rule:
        return Rule(f"PEPPOL-{name}", context, holds, message, terms)

    document, lines = "document", "lines"
    yield rule("EN16931-R001", document, lambda held, _: filled(held.profile_id), "there is a business process (BT-23)")
    yield rule("EN16931-R002", document, _one_note, "there is one note (BT-22) at most")
    yield rule("EN16931-R003", document, _has_reference, "there is a buyer reference (BT-10) or an order (BT-13)")
    yield rule(
        "EN16931-R004",
        document,
        lambda held, _: (held.customization_id or "").startswith(CUSTOMIZATION),
        "the specification (BT-24) is Peppol BIS Billing 3",
        ("BT-24", "customization_id"),
    )
    yield rule(
        "EN16931-R005",
        document,
        lambda held, _: held.tax_currency is None or held.tax_currency != held.currency,
        "the accounting currency (BT-6) is another than the invoice's (BT-5)",
    )
    yield rule(
        "EN16931-R007",
        document,
        lambda held, _: held.profile_id is None or bool(_PROFILES.fullmatch(held.profile_id)),
        "the business process (BT-23) is one of Peppol billing",
        ("BT-23", "profile_id"),
    )
    yield rule(
        "EN16931-R010",
        "buyer",
        lambda held, _: held.endpoint is not None,
        "the buyer has an electronic address (BT-49)",
    )
    yield rule(
        "EN16931-R020",
        "seller",
        lambda held, _: held.endpoint is not None,
        "the seller has an electronic address (BT-34)",
    )
    yield rule(
        "EN16931-R040", "everywhere", _adjustment_is_the_share, "an allowance or charge is its share of its base"
    )
    yield rule(
        "EN16931-R041",
        "everywhere",
        lambda held, _: held.percentage is None or held.base_amount is not None,
        "an allowance or charge in per cent has a base",
    )
    yield rule(
        "EN16931-R042",
        "on_document",
        lambda held, _: held.base_amount is None or held.percentage is not None,
        "an allowance or charge with a base has a percentage",
    )
    yield rule(
        "EN16931-R044", "in_prices", lambda held, _: held.is_charge is False, "a price has discounts, and no charges"
    )
    yield rule("EN16931-R046", lines, _price_is_gross_less_discount, "BT-146 = BT-148 - BT-147")
    yield rule("EN16931-R051", document, _one_currency, "amounts are in the invoice's currency (BT-5)")
    yield rule("EN16931-R053", document, _one_breakdown, "one VAT total (BT-110) has a breakdown")
    yield rule(
        "EN16931-R054", document, _accounting_total, "a VAT total without breakdown is in the accounting currency"
    )
    yield rule("EN16931-R055", document, _same_sign, "both VAT totals have the same sign")
    yield rule(
        "EN16931-R061",
        "payment_instructions",
        lambda held, _: held.code not in _DIRECT_DEBITS or at(held, "mandate.id") is not None,
        "a direct debit has a mandate (BT-89)",
    )
    yield rule(
        "EN16931-R080",
        document,
        lambda held, _: sum(document_.type_code == "50" for document_ in held.supporting_documents) <= 1,
        "a credit note has one project reference (BT-11) at most",
    )
    yield rule(
        "EN16931-R101",
        "line_objects",
        lambda held, _: held.type_code == "130",
        "a line's document reference is its object (BT-128)",
    )
    yield rule("EN16931-R110", lines, _period_is_within, "a line's period (BG-26) lies within the invoice's (BG-14)")
    yield rule(
        "EN16931-R120",
        lines,
        _line_is_exact,
        "BT-131 = BT-129 x BT-146 / BT-149 + charges - allowances, to the cent",
        ("BT-131", "net_amount"),
        ("BT-129", "quantity"),
        ("BT-146", "price.amount"),
        ("BT-149", "price.base_quantity"),
    )
    yield rule("EN16931-R121", lines, _base_is_positive, "a base quantity (BT-149) is positive")
    yield rule("EN16931-R130", lines, _one_unit, "the base quantity (BT-150) is in the unit of the quantity (BT-130)")
    yield rule("EN16931-P0100", document, _type_is_allowed, "the type (BT-3) is one of Peppol", ("BT-3", "type_code"))
    for name in dict.fromkeys(held[0] for held in _EXEMPTIONS.values()):
        yield Rule(name, "breakdown", _exemption_fits(name), "the reason for exemption (BT-121) fits the VAT category")
    yield rule("EN16931-F001", document, _days, "days are written YYYY-MM-DD")
    for name, scheme, check in (
        ("COMMON-R040", "0088", check_gln),
        ("COMMON-R041", "0192", check_norwegian_organisation),
        ("COMMON-R043", "0208", check_belgian_enterprise),
    ):
        for context in ("endpoints", "party_identifiers", "legal_ids"):
            message = f"an identifier of the scheme {scheme} has valid check digits"
            yield rule(name, context, _checked(scheme, check), message, ("identifier", "value"))
    yield Rule(
        "BR-CO-17",
        "breakdown",
        _tax_is_exact,
        "a document we issue has its tax to the cent: BT-117 = BT-116 x BT-119 / 100",
        (("BT-116", "taxable_amount"), ("BT-117", "tax_amount"), ("BT-119", "category.rate")),
    )


RULES: tuple[Rule, ...] = tuple(_rules())
