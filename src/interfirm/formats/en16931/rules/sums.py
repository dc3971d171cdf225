"""What must add up: the BR-CO rules about totals."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from interfirm.formats.en16931.places import View, number, total
from interfirm.formats.en16931.rule import Rule
from interfirm.formats.numbers import round_half_up

CENT = 2


def cents(value: Decimal) -> Decimal:
    """A sum rounded as the rules round: to two decimals, halves up."""
    return round_half_up(value, CENT)


def _line_sum(totals: Any, view: View) -> bool:
    return number(totals.line_net) == cents(total(line.net_amount for line in view.values("lines")))


def _adjustment_sum(totals: Any, view: View, *, field: str, context: str) -> bool:
    held = view.values(context)
    stated = getattr(totals, field)
    if stated is None and not held:
        return True
    return number(stated) == cents(total(adjustment.amount for adjustment in held))


def _allowance_sum(totals: Any, view: View) -> bool:
    return _adjustment_sum(totals, view, field="allowances", context="document_allowances")


def _charge_sum(totals: Any, view: View) -> bool:
    return _adjustment_sum(totals, view, field="charges", context="document_charges")


def _without_vat(totals: Any, _view: View) -> bool:
    line_net = number(totals.line_net)
    if line_net is None:
        return False
    if totals.charges is None and totals.allowances is None:
        return number(totals.without_vat) == line_net
    return number(totals.without_vat) == cents(line_net + total([totals.charges]) - total([totals.allowances]))


def _vat_sum(tax_total: Any, _view: View) -> bool:
    if not tax_total.breakdown:
        return True
    return number(tax_total.amount) == cents(total(group.tax_amount for group in tax_total.breakdown))


def _with_vat(document: Any, _view: View) -> bool:
    if document.currency is None:
        return True
    taxes = [held.amount for held in document.tax_totals if held.amount and held.amount.currency == document.currency]
    without = number(document.totals.without_vat) if document.totals is not None else None
    if len(taxes) != 1 or without is None:
        return False
    return number(document.totals.with_vat) == cents(without + total(taxes))


def _payable(totals: Any, _view: View) -> bool:
    payable, with_vat = number(totals.payable), number(totals.with_vat)
    if payable is None or with_vat is None:
        return False
    # as published: a side is rounded only where something is taken off it
    due = payable if totals.rounding is None else cents(payable - total([totals.rounding]))
    return due == (with_vat if totals.paid is None else cents(with_vat - total([totals.paid])))


def _group_tax(group: Any, _view: View) -> bool:
    tax = number(group.tax_amount)
    rate = group.category.rate if group.category is not None and group.category.is_vat else None
    if tax is None:
        return False
    if rate is None or round_half_up(rate, 0) == 0:
        return round_half_up(tax, 0) == 0
    return close_to_rate(number(group.taxable_amount), tax, rate)


def close_to_rate(taxable: Decimal | None, tax: Decimal | None, rate: Decimal | None) -> bool:
    """Whether tax is the rate of the taxable amount, give or take less than one (as the published rules have it)."""
    if taxable is None or tax is None or rate is None:
        return False
    return abs(abs(tax) - cents(abs(taxable) * rate.scaleb(-CENT))) < 1


def rules() -> Iterator[Rule]:
    """All rules of this file."""
    lines, allowances, charges = ("BT-106", "line_net"), ("BT-107", "allowances"), ("BT-108", "charges")
    without, with_vat = ("BT-109", "without_vat"), ("BT-112", "with_vat")
    yield Rule("BR-CO-10", "totals", _line_sum, "BT-106 is the sum of the lines' net amounts (BT-131)", (lines,))
    yield Rule("BR-CO-11", "totals", _allowance_sum, "BT-107 is the sum of the allowances (BT-92)", (allowances,))
    yield Rule("BR-CO-12", "totals", _charge_sum, "BT-108 is the sum of the charges (BT-99)", (charges,))
    yield Rule(
        "BR-CO-13", "totals", _without_vat, "BT-109 = BT-106 - BT-107 + BT-108", (without, lines, allowances, charges)
    )
    yield Rule(
        "BR-CO-14", "tax_totals", _vat_sum, "BT-110 is the sum of the tax amounts (BT-117)", (("BT-110", "amount"),)
    )
    yield Rule(
        "BR-CO-15",
        "document",
        _with_vat,
        "BT-112 = BT-109 + BT-110, with one VAT total in the document's currency",
        (("BT-112", "totals.with_vat"), ("BT-109", "totals.without_vat")),
    )
    yield Rule(
        "BR-CO-16",
        "totals",
        _payable,
        "BT-115 = BT-112 - BT-113 + BT-114",
        (("BT-115", "payable"), with_vat, ("BT-113", "paid"), ("BT-114", "rounding")),
    )
    yield Rule(
        "BR-CO-17",
        "breakdown",
        _group_tax,
        "BT-117 = BT-116 x BT-119 / 100, rounded to two decimals",
        (("BT-116", "taxable_amount"), ("BT-117", "tax_amount"), ("BT-119", "category.rate")),
    )
