"""The places of a document that rules look at, by name: one table over the semantic model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cached_property
from typing import Any

from interfirm.base.values import Value
from interfirm.formats.en16931.model import Amount, Invoice

Place = tuple[str, Any]
"""Where in the document (`BG-25[2]`), and the value that stands there."""
ZERO = Decimal(0)


class Below(Value, frozen=True):
    """What a path of fields leads to from every place of another context; each item where that is a tuple."""

    context: str
    path: str
    group: str = ""
    """The business group or term, for the location; empty where several terms stand there."""


class Union(Value, frozen=True):
    """The places of several contexts."""

    contexts: tuple[str, ...]


class Where(Value, frozen=True):
    """The places of a context that pass a test."""

    context: str
    passes: Callable[[Any], bool]


def _is_allowance(held: Any) -> bool:
    return held.is_charge is False


def _is_charge(held: Any) -> bool:
    return held.is_charge is True


CONTEXTS: dict[str, Below | Union | Where] = {
    "currency": Below("document", "currency", "BT-5"),
    "tax_currency": Below("document", "tax_currency", "BT-6"),
    "notes": Below("document", "notes", "BG-1"),
    "period": Below("document", "period", "BG-14"),
    "preceding_invoices": Below("document", "preceding_invoices", "BG-3"),
    "supporting_documents": Below("document", "supporting_documents", "BG-24"),
    "attachments": Below("supporting_documents", "attachment", "BT-125"),
    "line_objects": Below("lines", "object", "BT-128"),
    "all_objects": Union(("supporting_documents", "line_objects")),
    "invoiced_objects": Where("all_objects", lambda held: held.type_code == "130"),
    # parties
    "seller": Below("document", "seller", "BG-4"),
    "buyer": Below("document", "buyer", "BG-7"),
    "payee": Below("document", "payee", "BG-10"),
    "tax_representative": Below("document", "tax_representative", "BG-11"),
    "delivery": Below("document", "delivery", "BG-13"),
    "parties": Union(("seller", "buyer", "payee", "tax_representative")),
    "other_parties": Union(("buyer", "tax_representative")),
    "paid_parties": Union(("seller", "payee")),
    "seller_endpoint": Below("seller", "endpoint", "BT-34"),
    "buyer_endpoint": Below("buyer", "endpoint", "BT-49"),
    "endpoints": Below("parties", "endpoint"),
    "party_identifiers": Below("parties", "identifiers"),
    "other_identifiers": Below("other_parties", "identifiers"),
    "paid_identifiers": Below("paid_parties", "identifiers"),
    "legal_ids": Below("parties", "legal_id"),
    "tax_registrations": Below("parties", "tax_registrations"),
    "vat_registrations": Where("tax_registrations", lambda held: held.is_vat),
    "seller_address": Below("seller", "address", "BG-5"),
    "buyer_address": Below("buyer", "address", "BG-8"),
    "tax_representative_address": Below("tax_representative", "address", "BG-12"),
    "delivery_address": Below("delivery", "address", "BG-15"),
    "addresses": Union(("seller_address", "buyer_address", "tax_representative_address", "delivery_address")),
    "countries": Below("addresses", "country"),
    "delivery_location": Below("delivery", "location_id", "BT-71"),
    # payment
    "payment_instructions": Below("document", "payment_instructions", "BG-16"),
    "credit_transfers": Where("payment_instructions", lambda held: held.code in {"30", "58"}),
    "credit_accounts": Below("credit_transfers", "account", "BG-17"),
    "card_numbers": Below("payment_instructions", "card.number", "BT-87"),
    # lines
    "lines": Below("document", "lines", "BG-25"),
    "line_periods": Below("lines", "period", "BG-26"),
    "quantities": Below("lines", "quantity", "BT-129"),
    "base_quantities": Below("lines", "price.base_quantity", "BT-149"),
    "origin_countries": Below("lines", "item.origin_country", "BT-159"),
    "item_properties": Below("lines", "item.properties", "BG-32"),
    "classifications": Below("lines", "item.classifications", "BT-158"),
    "standard_ids": Below("lines", "item.standard_id", "BT-157"),
    "line_categories": Below("lines", "category", "BG-30"),
    # allowances and charges, on the document, on lines and within prices
    "on_document": Below("document", "allowances_charges", "BG-20/BG-21"),
    "on_lines": Below("lines", "allowances_charges", "BG-27/BG-28"),
    "in_prices": Below("lines", "price.discount", "BT-147"),
    "everywhere": Union(("on_document", "on_lines", "in_prices")),
    "document_allowances": Where("on_document", _is_allowance),
    "document_charges": Where("on_document", _is_charge),
    "line_allowances": Where("on_lines", _is_allowance),
    "line_charges": Where("on_lines", _is_charge),
    "allowances": Where("everywhere", _is_allowance),
    "charges": Where("everywhere", _is_charge),
    "document_allowance_categories": Below("document_allowances", "category"),
    "document_charge_categories": Below("document_charges", "category"),
    "allowance_categories": Below("allowances", "category"),
    "charge_categories": Below("charges", "category"),
    # totals
    "totals": Below("document", "totals", "BG-22"),
    "tax_totals": Below("document", "tax_totals", "BT-110/BT-111"),
    "breakdown": Below("tax_totals", "breakdown", "BG-23"),
    "breakdown_categories": Below("breakdown", "category"),
    "adjustment_categories": Below("everywhere", "category"),
    "document_categories": Union(("adjustment_categories", "breakdown_categories")),
    "all_categories": Union(("document_categories", "line_categories")),
}
AMOUNTS: dict[str, Below | Union | Where] = {
    "amount": Below("everywhere", "amount"),
    "base_amount": Below("everywhere", "base_amount"),
    "tax_total": Below("tax_totals", "amount"),
    "taxable": Below("breakdown", "taxable_amount", "BT-116"),
    "tax": Below("breakdown", "tax_amount", "BT-117"),
    "line_net": Below("lines", "net_amount", "BT-131"),
    "price": Below("lines", "price.amount", "BT-146"),
    "BT-106": Below("totals", "line_net", "BT-106"),
    "BT-107": Below("totals", "allowances", "BT-107"),
    "BT-108": Below("totals", "charges", "BT-108"),
    "BT-109": Below("totals", "without_vat", "BT-109"),
    "BT-112": Below("totals", "with_vat", "BT-112"),
    "BT-113": Below("totals", "paid", "BT-113"),
    "BT-114": Below("totals", "rounding", "BT-114"),
    "BT-115": Below("totals", "payable", "BT-115"),
}
"""The amounts of a document, each kind a context."""
CONTEXTS |= AMOUNTS | {"amounts": Union(tuple(AMOUNTS))}


class View:
    """One document, and its places by context; each context is listed once."""

    def __init__(self, invoice: Invoice) -> None:
        self.invoice = invoice
        self._listed: dict[str, list[Place]] = {"document": [("", invoice)]}

    def places(self, context: str) -> list[Place]:
        """The places of a context, in the order of the document."""
        if context not in self._listed:
            self._listed[context] = list(self._list(CONTEXTS[context]))
        return self._listed[context]

    def values(self, context: str) -> list[Any]:
        """What stands at the places of a context."""
        return [value for _, value in self.places(context)]

    def _list(self, rule: Below | Union | Where) -> Iterable[Place]:
        match rule:
            case Union():
                return (place for context in rule.contexts for place in self.places(context))
            case Where():
                return (place for place in self.places(rule.context) if rule.passes(place[1]))
            case Below():
                return (
                    (_location(location, rule.group, position), held)
                    for location, value in self.places(rule.context)
                    for position, held in _held(at(value, rule.path))
                )

    @cached_property
    def net_by_category(self) -> dict[tuple[str, Decimal | None], Decimal]:
        """Line net amounts plus charges minus allowances of the document, by category code and rate."""
        signed = [(line.category, line.net_amount, 1) for line in self.values("lines")]
        signed += [(held.category, held.amount, 1) for held in self.values("document_charges")]
        signed += [(held.category, held.amount, -1) for held in self.values("document_allowances")]
        sums: dict[tuple[str, Decimal | None], Decimal] = {}
        for category, amount, sign in signed:
            if category is not None and category.code is not None:
                key = (category.code, category.rate)
                sums[key] = sums.get(key, ZERO) + sign * (number(amount) or ZERO)
        return sums


def at(value: Any, path: str) -> Any:
    """What a dotted path of fields leads to, or None where a part is absent; `.` is the value itself."""
    if path != ".":
        for field in path.split("."):
            if value is None:
                return None
            value = getattr(value, field)
    return value


def number(amount: Amount | None) -> Decimal | None:
    """The number of an amount that is there."""
    return amount.value if amount is not None else None


def total(amounts: Iterable[Amount | None]) -> Decimal:
    """The sum of the amounts that are there."""
    return sum((held for amount in amounts if (held := number(amount)) is not None), ZERO)


def _held(held: Any) -> Iterable[tuple[int, Any]]:
    """What a path leads to with its position: each item of a tuple from 1, a single value at 0."""
    if isinstance(held, tuple):
        return enumerate(held, 1)
    return ((0, held),) if held is not None else ()


def _location(above: str, group: str, position: int) -> str:
    own = f"{group}[{position}]" if position else group
    return "/".join(part for part in (above, own) if part)
