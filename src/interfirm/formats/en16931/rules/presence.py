"""What must be there: BR-01 to BR-65, the BR-CO rules about presence, and BR-DEC, the decimals of amounts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from interfirm.formats.en16931.codelists import VAT_PREFIXES
from interfirm.formats.en16931.model import Period
from interfirm.formats.en16931.places import View, at, number
from interfirm.formats.en16931.rule import Rule, filled
from interfirm.formats.numbers import decimals

AMOUNT_DECIMALS_MAX = 2
CARD_DIGITS_MAX = 10
_DAY_CHARS = len("YYYY-MM-DD")

FILLED: tuple[tuple[str, str, str, str, str], ...] = (
    # rule, context, field, term, what it is: the text must not be empty
    ("BR-01", "document", "customization_id", "BT-24", "specification identifier"),
    ("BR-02", "document", "number", "BT-1", "invoice number"),
    ("BR-03", "document", "issue_date", "BT-2", "issue date"),
    ("BR-04", "document", "type_code", "BT-3", "type code"),
    ("BR-05", "document", "currency", "BT-5", "currency"),
    ("BR-06", "document", "seller.legal_name", "BT-27", "seller's name"),
    ("BR-07", "document", "buyer.legal_name", "BT-44", "buyer's name"),
    ("BR-09", "seller_address", "country", "BT-40", "seller's country"),
    ("BR-11", "buyer_address", "country", "BT-55", "buyer's country"),
    ("BR-18", "tax_representative", "trading_name", "BT-62", "tax representative's name"),
    ("BR-20", "tax_representative_address", "country", "BT-69", "tax representative's country"),
    ("BR-21", "lines", "id", "BT-126", "line's identifier"),
    ("BR-25", "lines", "item.name", "BT-153", "item's name"),
    ("BR-50", "credit_accounts", "id", "BT-84", "payment account's identifier"),
    ("BR-52", "supporting_documents", "id.value", "BT-122", "supporting document's reference"),
)
PRESENT: tuple[tuple[str, str, str, str, str], ...] = (
    # the same, where an empty element would do
    ("BR-08", "document", "seller.address", "BG-5", "seller's postal address"),
    ("BR-10", "document", "buyer.address", "BG-8", "buyer's postal address"),
    ("BR-12", "totals", "line_net", "BT-106", "sum of line net amounts"),
    ("BR-13", "totals", "without_vat", "BT-109", "total without VAT"),
    ("BR-14", "totals", "with_vat", "BT-112", "total with VAT"),
    ("BR-15", "totals", "payable", "BT-115", "amount due for payment"),
    ("BR-19", "tax_representative", "address", "BG-12", "tax representative's postal address"),
    ("BR-22", "lines", "quantity", "BT-129", "invoiced quantity"),
    ("BR-23", "lines", "quantity.unit", "BT-130", "unit of the invoiced quantity"),
    ("BR-24", "lines", "net_amount", "BT-131", "line's net amount"),
    ("BR-26", "lines", "price.amount", "BT-146", "item's net price"),
    ("BR-31", "document_allowances", "amount", "BT-92", "allowance's amount"),
    ("BR-36", "document_charges", "amount", "BT-99", "charge's amount"),
    ("BR-41", "line_allowances", "amount", "BT-136", "line allowance's amount"),
    ("BR-43", "line_charges", "amount", "BT-141", "line charge's amount"),
    ("BR-45", "breakdown", "taxable_amount", "BT-116", "taxable amount of a VAT category"),
    ("BR-46", "breakdown", "tax_amount", "BT-117", "tax amount of a VAT category"),
    ("BR-49", "payment_instructions", "code", "BT-81", "payment means code"),
    ("BR-54", "item_properties", "name", "BT-160", "item property's name"),
    ("BR-54", "item_properties", "value", "BT-161", "item property's value"),
    ("BR-55", "preceding_invoices", "number", "BT-25", "preceding invoice's number"),
    ("UBL-SR-07", "preceding_invoices", "number", "BT-25", "preceding invoice's number"),
    ("BR-56", "tax_representative", "vat_id", "BT-63", "tax representative's VAT identifier"),
    ("BR-57", "delivery_address", "country", "BT-80", "country of delivery"),
    ("BR-62", "seller_endpoint", "scheme", "BT-34-1", "scheme of the seller's electronic address"),
    ("BR-63", "buyer_endpoint", "scheme", "BT-49-1", "scheme of the buyer's electronic address"),
    ("BR-64", "standard_ids", "scheme", "BT-157-1", "scheme of the item's standard identifier"),
    ("BR-65", "classifications", "list_id", "BT-158-1", "scheme of the item's classification"),
    ("UBL-SR-53", "tax_registrations", "number", "BT-31/BT-32", "number of a tax registration"),
    ("UBL-SR-53", "tax_registrations", "scheme", "BT-31/BT-32", "scheme of a tax registration"),
)
WITH_REASON: tuple[tuple[str, str, str, str], ...] = (
    # rule, its twin, context, terms
    ("BR-33", "BR-CO-21", "document_allowances", "BT-97/BT-98"),
    ("BR-38", "BR-CO-22", "document_charges", "BT-104/BT-105"),
    ("BR-42", "BR-CO-23", "line_allowances", "BT-139/BT-140"),
    ("BR-44", "BR-CO-24", "line_charges", "BT-144/BT-145"),
)
WITH_VAT_CATEGORY: tuple[tuple[str, str, str], ...] = (
    ("BR-32", "document_allowances", "BT-95"),
    ("BR-37", "document_charges", "BT-102"),
    ("BR-47", "breakdown", "BT-118"),
    ("BR-CO-04", "lines", "BT-151"),
)
TWO_DECIMALS: tuple[tuple[str, str, str, str], ...] = (
    ("BR-DEC-01", "document_allowances", "amount", "BT-92"),
    ("BR-DEC-02", "document_allowances", "base_amount", "BT-93"),
    ("BR-DEC-05", "document_charges", "amount", "BT-99"),
    ("BR-DEC-06", "document_charges", "base_amount", "BT-100"),
    ("BR-DEC-09", "totals", "line_net", "BT-106"),
    ("BR-DEC-10", "totals", "allowances", "BT-107"),
    ("BR-DEC-11", "totals", "charges", "BT-108"),
    ("BR-DEC-12", "totals", "without_vat", "BT-109"),
    ("BR-DEC-14", "totals", "with_vat", "BT-112"),
    ("BR-DEC-16", "totals", "paid", "BT-113"),
    ("BR-DEC-17", "totals", "rounding", "BT-114"),
    ("BR-DEC-18", "totals", "payable", "BT-115"),
    ("BR-DEC-19", "breakdown", "taxable_amount", "BT-116"),
    ("BR-DEC-20", "breakdown", "tax_amount", "BT-117"),
    ("BR-DEC-23", "lines", "net_amount", "BT-131"),
    ("BR-DEC-24", "line_allowances", "amount", "BT-136"),
    ("BR-DEC-25", "line_allowances", "base_amount", "BT-137"),
    ("BR-DEC-27", "line_charges", "amount", "BT-141"),
    ("BR-DEC-28", "line_charges", "base_amount", "BT-142"),
)
Test = Callable[[Any, View], bool]


def _filled(field: str) -> Test:
    return lambda place, _view: filled(at(place, field))


def _present(field: str) -> Test:
    return lambda place, _view: at(place, field) is not None


def _two_decimals(field: str) -> Test:
    def holds(place: Any, _view: View) -> bool:
        held = number(at(place, field))
        return held is None or decimals(held) <= AMOUNT_DECIMALS_MAX

    return holds


def _vat_total_has_two_decimals(own: bool) -> Test:
    def holds(document: Any, _view: View) -> bool:
        currency = document.currency if own else document.tax_currency
        held = number(document.vat_total(currency)) if currency is not None else None
        return held is None or decimals(held) <= AMOUNT_DECIMALS_MAX

    return holds


def _has_reason(place: Any, _view: View) -> bool:
    return place.reason is not None or place.reason_code is not None


def _has_vat_category(place: Any, _view: View) -> bool:
    category = place.category
    return category is not None and category.is_vat and category.code is not None


def _has_rate_unless_outside(place: Any, _view: View) -> bool:
    category = place.category
    return category is not None and category.is_vat and (category.rate is not None or category.code == "O")


def _not_negative(field: str) -> Test:
    def holds(place: Any, _view: View) -> bool:
        held = at(place, field)
        # what is absent is another rule's concern, except for a price
        return held is None or (held.value is not None and held.value >= 0)

    return holds


def _price_not_negative(line: Any, _view: View) -> bool:
    price = number(at(line, "price.amount"))
    return price is not None and price >= 0


def _ends_after_start(period: Period, _view: View) -> bool:
    # days in one form are in order as text; the time zone that XML allows behind them is not compared
    return period.start is None or period.end is None or period.start[:_DAY_CHARS] <= period.end[:_DAY_CHARS]


def _period_says_something(period: Period, _view: View) -> bool:
    return any(part is not None for part in (period.start, period.end, period.description_code))


def _line_period_has_a_day(period: Period, _view: View) -> bool:
    return period.start is not None or period.end is not None


def _payee_is_not_the_seller(payee: Any, view: View) -> bool:
    seller = view.invoice.seller
    if payee.trading_name is None:
        return False
    if seller is None:
        return True
    own = {held.value for held in payee.identifiers}
    return payee.trading_name != seller.trading_name and not own & {held.value for held in seller.identifiers}


def _payee_differs_in_name(payee: Any, view: View) -> bool:
    seller = view.invoice.seller
    names = payee.trading_name, seller.legal_name if seller is not None else None
    return None not in names and names[0] != names[1]


def _one_payee_identifier(payee: Any, view: View) -> bool:
    plain = [held for held in payee.identifiers if (held.scheme or "").upper() != "SEPA"]
    return len(plain) <= 1 and _payee_differs_in_name(payee, view)


def _accounting_total_is_there(document: Any, _view: View) -> bool:
    currency = document.tax_currency
    return currency is None or document.vat_total(currency) is not None


def _credit_transfer_has_account(means: Any, _view: View) -> bool:
    return means.code not in {"30", "58"} or at(means, "account.id") is not None


def _one_tax_point(document: Any, _view: View) -> bool:
    return document.tax_point_date is None or at(document, "period.description_code") is None


def _vat_number_names_a_country(registration: Any, _view: View) -> bool:
    number_text = registration.number
    return not number_text or number_text[:2] in VAT_PREFIXES


def _due_or_terms(document: Any, _view: View) -> bool:
    payable = number(at(document, "totals.payable"))
    if document.kind != "Invoice" or payable is None or payable <= 0:
        return True
    return document.payment_due_date is not None or document.payment_terms is not None


def _seller_is_identified(seller: Any, _view: View) -> bool:
    plain = [held for held in seller.identifiers if held.value is not None and held.scheme != "SEPA"]
    return seller.vat_id is not None or bool(plain) or seller.legal_id is not None


def _card_is_cut(card_number: Any, _view: View) -> bool:
    return len(card_number.strip()) <= CARD_DIGITS_MAX


def _single_rules() -> Iterator[Rule]:
    document = "document"
    yield Rule("BR-16", document, lambda held, _view: bool(held.lines), "an invoice has a line (BG-25)")
    yield Rule(
        "BR-17", "payee", _payee_is_not_the_seller, "a payee has a name (BT-59) and is not the seller",
        (("BT-59", "trading_name"),),
    )  # fmt: skip
    for rule, holds in (
        ("UBL-SR-19", _payee_differs_in_name),
        ("UBL-SR-20", _one_payee_identifier),
        ("UBL-SR-21", _payee_differs_in_name),
    ):
        yield Rule(rule, "payee", holds, "a payee has one name and number, and another name than the seller")
    yield Rule(
        "BR-27", "lines", _price_not_negative, "an item's net price (BT-146) is not negative",
        (("BT-146", "price.amount"),),
    )  # fmt: skip
    yield Rule(
        "BR-28", "lines", _not_negative("price.discount.base_amount"), "an item's gross price (BT-148) is not negative",
        (("BT-148", "price.discount.base_amount"),),
    )  # fmt: skip
    for rule, context, start, end in (
        ("BR-29", "period", "BT-73", "BT-74"),
        ("BR-30", "line_periods", "BT-134", "BT-135"),
    ):
        message = f"a period ends ({end}) on or after the day it starts ({start})"
        yield Rule(rule, context, _ends_after_start, message, ((start, "start"), (end, "end")))
    yield Rule("BR-48", "breakdown", _has_rate_unless_outside, "a VAT category has a rate (BT-119), unless it is O")
    yield Rule(
        "BR-51", "card_numbers", _card_is_cut, "of a card number (BT-87) only the last digits are shown",
        severity="warning",
    )  # fmt: skip
    yield Rule(
        "BR-53", document, _accounting_total_is_there, "with an accounting currency (BT-6) comes a VAT total in it",
        (("BT-6", "tax_currency"),),
    )  # fmt: skip
    yield Rule(
        "BR-61", "payment_instructions", _credit_transfer_has_account,
        "a credit transfer (BT-81 30 or 58) names the account (BT-84)", (("BT-81", "code"),),
    )  # fmt: skip
    yield Rule("BR-CO-03", document, _one_tax_point, "tax point date (BT-7) and its code (BT-8) exclude each other")
    yield Rule(
        "BR-CO-09", "vat_registrations", _vat_number_names_a_country, "a VAT identifier begins with a country code",
        (("BT-31/BT-48/BT-63", "number"),),
    )  # fmt: skip
    yield Rule("BR-CO-18", document, lambda held, _view: bool(held.breakdown), "there is a VAT breakdown (BG-23)")
    yield Rule("BR-CO-19", "period", _period_says_something, "a period (BG-14) has a start, an end or a code")
    yield Rule("BR-CO-20", "line_periods", _line_period_has_a_day, "a line's period (BG-26) has a start or an end")
    yield Rule(
        "BR-CO-25", document, _due_or_terms, "a positive amount due has a due date (BT-9) or payment terms (BT-20)",
        (("BT-115", "totals.payable"),),
    )  # fmt: skip
    yield Rule("BR-CO-26", "seller", _seller_is_identified, "a seller has one of BT-29, BT-30 and BT-31")
    for rule, own, term in (("BR-DEC-13", True, "BT-110"), ("BR-DEC-15", False, "BT-111")):
        yield Rule(rule, document, _vat_total_has_two_decimals(own), f"{term} has two decimals at most")


def rules() -> Iterator[Rule]:
    """All rules of this file."""
    for rule, context, field, term, what in FILLED:
        yield Rule(rule, context, _filled(field), f"the {what} ({term}) is missing")
    for rule, context, field, term, what in PRESENT:
        yield Rule(rule, context, _present(field), f"the {what} ({term}) is missing")
    for rule, twin, context, terms in WITH_REASON:
        for name in (rule, twin):
            yield Rule(name, context, _has_reason, f"an allowance or charge has a reason or its code ({terms})")
    for rule, context, term in WITH_VAT_CATEGORY:
        yield Rule(rule, context, _has_vat_category, f"the VAT category ({term}) is missing")
    for rule, context, field, term in TWO_DECIMALS:
        message = f"{term} has two decimals at most"
        yield Rule(rule, context, _two_decimals(field), message, ((term, field),))
    yield from _single_rules()
