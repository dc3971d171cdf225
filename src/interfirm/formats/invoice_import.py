"""The way in: a UBL file, judged by EN 16931, and what a ledger keeps of it."""

from __future__ import annotations

from decimal import Decimal
from typing import NoReturn

from interfirm.base.errors import Refusal
from interfirm.base.money import CURRENCY_DIGITS, Money, Quantity, Rate, UnitPrice
from interfirm.base.time import Day
from interfirm.base.values import Value
from interfirm.formats import facts
from interfirm.formats.en16931 import model
from interfirm.formats.en16931.findings import Finding, refuse_findings
from interfirm.formats.en16931.judge import judge
from interfirm.formats.numbers import EXACT, PERCENT_DIGITS, decimals, parse_day, scaled_integer
from interfirm.formats.ubl.reader import read_ubl

_SCALE_MAX = 9
_NO_CATEGORY = model.TaxCategory()


class Imported(Value, frozen=True):
    """A file that passed: what it says, what a ledger keeps of it, and the warnings."""

    document: model.Document
    facts: facts.InvoiceFacts
    warnings: tuple[Finding, ...]


def import_invoice(data: bytes) -> Imported:
    """The invoice or credit note in a UBL 2.1 file; the file itself is for the caller to keep.

    Raises Refusal `xml.*` and `ubl.root` as `read_ubl`, `invoice.en16931` with the ids of the EN 16931 rules that fail,
    and `invoice.decimals` or `money.currency` for a number that a ledger has no integer for.
    """
    document = read_ubl(data)
    findings = judge(document)
    refuse_findings(findings)
    return Imported(document, facts_of(document.invoice), findings)


def facts_of(invoice: model.Invoice) -> facts.InvoiceFacts:
    """What a ledger keeps of a judged invoice; raises Refusal `invoice.incomplete` for one that no rule would pass."""
    means = next((held for held in invoice.payment_instructions if held.account), None) or next(
        iter(invoice.payment_instructions), model.PaymentInstructions()
    )
    currency = _needed(invoice.currency, "BT-5")
    delivery = invoice.delivery or model.Delivery()
    return facts.InvoiceFacts(
        number=_needed(invoice.number, "BT-1"),
        is_credit_note=invoice.kind == "CreditNote",
        kind=_needed(invoice.type_code, "BT-3"),
        issued=parse_day(_needed(invoice.issue_date, "BT-2")),
        currency=currency,
        seller=_party(invoice.seller, "BG-4"),
        buyer=_party(invoice.buyer, "BG-7"),
        payee=_party(invoice.payee, "BG-10") if invoice.payee is not None else None,
        lines=tuple(_line(line) for line in invoice.lines),
        groups=tuple(_group(held) for held in invoice.breakdown),
        totals=_totals(invoice, currency),
        adjustments=tuple(_adjustment(held, held.category) for held in invoice.allowances_charges),
        due=_day(invoice.payment_due_date),
        delivered=_day(delivery.date),
        terms=invoice.payment_terms or "",
        note=next(iter(invoice.notes), ""),
        buyer_reference=invoice.buyer_reference or "",
        order=invoice.order_reference or "",
        preceding=tuple(
            facts.PrecedingFacts(_needed(held.number, "BT-25"), _day(held.issue_date))
            for held in invoice.preceding_invoices
        ),
        means=means.code or "",
        account=_account(means.account),
        remittance=means.reference or "",
    )


def _incomplete(term: str) -> NoReturn:
    raise Refusal("invoice.incomplete", "a business term that every invoice has is missing", term=term)


def _needed(text: str | None, term: str) -> str:
    return text if text else _incomplete(term)


def _day(text: str | None) -> Day | None:
    return parse_day(text) if text is not None else None


def _scaled(number: Decimal | None, digits: int, term: str) -> int:
    if number is None:
        _incomplete(term)
    whole = scaled_integer(number, digits)
    if whole is None:
        raise Refusal(
            "invoice.decimals", "a number has more decimals than a ledger keeps", term=term, number=str(number)
        )
    return whole


def _digits(currency: str) -> int:
    digits = CURRENCY_DIGITS.get(currency)
    if digits is None:
        raise Refusal("money.currency", "this is no currency with a minor unit", currency=currency[:8])
    return digits


def _money(amount: model.Amount | None, term: str) -> Money:
    held = amount if amount is not None else model.Amount()
    currency = _needed(held.currency, term)
    return Money(_scaled(held.value, _digits(currency), term), currency)


def _scale(number: Decimal, at_least: int, term: str) -> tuple[int, int]:
    """A number as integer and scale, without needless zeros."""
    scale = max(at_least, decimals(number.normalize(EXACT)))
    if scale > _SCALE_MAX:
        raise Refusal(
            "invoice.decimals", "a number has more decimals than a ledger keeps", term=term, number=str(number)
        )
    return _scaled(number, scale, term), scale


def _quantity(quantity: model.Quantity | None, unit: str | None, term: str) -> Quantity:
    if quantity is None or quantity.value is None:
        _incomplete(term)
    value, scale = _scale(quantity.value, 0, term)
    return Quantity(value, scale, _needed(quantity.unit or unit, term))


def _rate(category: model.TaxCategory) -> Rate:
    return Rate(_scaled(category.rate, PERCENT_DIGITS, "BT-119/BT-152") if category.rate is not None else 0)


def _party(party: model.Party | None, group: str) -> facts.PartyFacts:
    held = party or model.Party()
    registration, endpoint = held.legal_id or model.Identifier(), held.endpoint or model.Identifier()
    numbers = sorted((tax for tax in held.tax_registrations if tax.number), key=lambda tax: not tax.is_vat)
    tax = numbers[0] if numbers else model.TaxRegistration()
    return facts.PartyFacts(
        name=_needed(held.name, group),
        tax_id=tax.number or "",
        tax_scheme=tax.scheme or "",
        registration=registration.value or "",
        registration_scheme=registration.scheme or "",
        endpoint=endpoint.value or "",
        endpoint_scheme=endpoint.scheme or "",
        address=_address(held.address),
    )


def _address(address: model.Address | None) -> facts.AddressFacts | None:
    if address is None:
        return None
    return facts.AddressFacts(
        street=address.street or "",
        city=address.city or "",
        postal_code=address.postcode or "",
        country=address.country or "",
        region=address.subdivision or "",
        additional=address.additional_street or "",
    )


def _account(account: model.Account | None) -> facts.AccountFacts | None:
    if account is None or not account.id:
        return None
    return facts.AccountFacts(account.id.replace(" ", ""), account.name or "", account.service_provider or "")


def _adjustment(held: model.AllowanceCharge, category: model.TaxCategory | None) -> facts.AdjustmentFacts:
    taxed = category or _NO_CATEGORY
    return facts.AdjustmentFacts(
        charge=bool(held.is_charge),
        amount=_money(held.amount, "BT-92/BT-99/BT-136/BT-141"),
        reason=held.reason or "",
        category=taxed.code or "",
        rate=_rate(taxed),
        reason_code=held.reason_code or "",
    )


def _line(line: model.Line) -> facts.LineFacts:
    item, price = line.item or model.Item(), line.price or model.Price()
    category = line.category or _NO_CATEGORY
    amount = price.amount or model.Amount()
    currency = _needed(amount.currency, "BT-146")
    if amount.value is None:
        _incomplete("BT-146")
    value, scale = _scale(amount.value, _digits(currency), "BT-146")
    quantity = _quantity(line.quantity, None, "BT-129")
    base = _quantity(price.base_quantity, quantity.unit, "BT-149") if price.base_quantity is not None else None
    return facts.LineFacts(
        id=_needed(line.id, "BT-126"),
        name=_needed(item.name, "BT-153"),
        quantity=quantity,
        price=UnitPrice(value, scale, currency),
        net=_money(line.net_amount, "BT-131"),
        category=_needed(category.code, "BT-151"),
        rate=_rate(category),
        item=item.seller_id or "",
        order_line=line.order_line or "",
        base_quantity=None if base is not None and (base.value, base.scale) == (1, 0) else base,
        adjustments=tuple(_adjustment(held, category) for held in line.allowances_charges),
    )


def _group(held: model.VatBreakdown) -> facts.TaxGroupFacts:
    category = held.category or _NO_CATEGORY
    return facts.TaxGroupFacts(
        category=_needed(category.code, "BT-118"),
        rate=_rate(category),
        base=_money(held.taxable_amount, "BT-116"),
        tax=_money(held.tax_amount, "BT-117"),
        exemption=category.exemption_reason or "",
        exemption_code=category.exemption_code or "",
    )


def _totals(invoice: model.Invoice, currency: str) -> facts.TotalsFacts:
    held = invoice.totals or model.Totals()

    def stated(amount: model.Amount | None, term: str) -> Money:
        return _money(amount, term) if amount is not None else Money(0, currency)

    return facts.TotalsFacts(
        lines=_money(held.line_net, "BT-106"),
        allowances=stated(held.allowances, "BT-107"),
        charges=stated(held.charges, "BT-108"),
        net=_money(held.without_vat, "BT-109"),
        tax=stated(invoice.vat_total(currency), "BT-110"),
        gross=_money(held.with_vat, "BT-112"),
        prepaid=stated(held.paid, "BT-113"),
        rounding=stated(held.rounding, "BT-114"),
        payable=_money(held.payable, "BT-115"),
    )
