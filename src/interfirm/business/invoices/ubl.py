"""Between the semantic model of a file (EN 16931) and the document that an invoice contract stores, both ways.

Coming in, every amount must fit the currency's minor unit; what the contract has no field for stays in the original
file, which is kept as attachment. Going out, the payee (BG-10) and the account follow the right's present holder.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TypeVar

from interfirm.base.errors import Refusal
from interfirm.base.money import CURRENCY_DIGITS, decimal_text
from interfirm.business.companies.accounts import account_digest, account_of
from interfirm.business.companies.contract import Account, Address, Firm
from interfirm.business.invoices.document import AllowanceCharge, Document, Line, TaxGroup, Totals
from interfirm.contracts.language import Money, Quantity, Rate, UnitPrice
from interfirm.formats.en16931 import model
from interfirm.formats.numbers import parse_day

T = TypeVar("T")
CUSTOMIZATION = "urn:cen.eu:en16931:2017#compliant#urn:fdc:peppol.eu:2017:poacc:billing:3.0"
PROFILE = "urn:fdc:peppol.eu:2017:poacc:billing:01:1.0"


def document_of(invoice: model.Invoice) -> Document:
    """The document of a judged file; Refusal `invoice.term` for a business term that cannot be stored."""
    currency = _need(invoice.currency, "BT-5")
    if currency not in CURRENCY_DIGITS:
        raise Refusal("money.currency", "amounts of this currency cannot be kept", currency=currency[:8])
    totals = _need(invoice.totals, "BG-22")
    tax = invoice.vat_total(currency)
    groups = tuple(_group(group, currency) for group in invoice.breakdown)
    means = invoice.payment_instructions[0] if invoice.payment_instructions else None
    before = invoice.preceding_invoices[0] if invoice.preceding_invoices else None
    due = invoice.payment_due_date
    return Document(
        number=_need(invoice.number, "BT-1"),
        kind=_need(invoice.type_code, "BT-3"),
        issued=parse_day(_need(invoice.issue_date, "BT-2")),
        currency=currency,
        seller=_firm(_need(invoice.seller, "BG-4")),
        buyer=_firm(_need(invoice.buyer, "BG-7")),
        lines=tuple(_line(line, currency) for line in invoice.lines),
        groups=groups,
        totals=Totals(
            lines=_money(totals.line_net, currency, "BT-106"),
            allowances=_money(totals.allowances, currency, "BT-107"),
            charges=_money(totals.charges, currency, "BT-108"),
            net=_money(totals.without_vat, currency, "BT-109"),
            tax=_money(tax, currency, "BT-110"),
            gross=_money(totals.with_vat, currency, "BT-112"),
            prepaid=_money(totals.paid, currency, "BT-113"),
            rounding=_money(totals.rounding, currency, "BT-114"),
            payable=_money(totals.payable, currency, "BT-115"),
        ),
        allowances=tuple(_part(part, currency, None) for part in invoice.allowances_charges),
        due=None if due is None else parse_day(due),
        terms=invoice.payment_terms or "",
        buyer_reference=invoice.buyer_reference or "",
        order=invoice.order_reference or "",
        preceding=(before.number or "") if before else "",
        preceding_issued=parse_day(before.issue_date) if before and before.issue_date else None,
        means=(means.code or "") if means else "",
        account=_account(means.account) if means and means.account else None,
        remittance=(means.reference or "") if means else "",
    )


def _need(value: T | None, term: str) -> T:
    if value is None:
        raise Refusal("invoice.term", "a business term that is needed is not there", term=term)
    return value


def _integer(value: Decimal, scale: int, term: str) -> int:
    scaled = value.scaleb(scale)
    if scaled != scaled.to_integral_value():
        raise Refusal("invoice.term", "a number is finer than can be stored", term=term, value=str(value), digits=scale)
    return int(scaled)


def _money(amount: model.Amount | None, currency: str, term: str) -> Money:
    if amount is None or amount.value is None:
        return Money(0, currency)
    if amount.currency is not None and amount.currency != currency:
        raise Refusal("invoice.term", "an amount is in another currency", term=term, currency=amount.currency)
    return Money(_integer(amount.value, CURRENCY_DIGITS[currency], term), currency)


def _scale(value: Decimal) -> int:
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _quantity(quantity: model.Quantity | None, term: str, *, unit: str = "C62") -> Quantity:
    found = _need(quantity, term)
    value = _need(found.value, term)
    return Quantity(_integer(value, _scale(value), term), _scale(value), found.unit or unit)


def _rate(category: model.TaxCategory | None) -> tuple[str, Rate]:
    if category is None:
        return "", Rate(0)
    return category.code or "", Rate(_integer(category.rate or Decimal(0), 4, "BT-119"))


def _part(part: model.AllowanceCharge, currency: str, line: model.TaxCategory | None) -> AllowanceCharge:
    category, rate = _rate(part.category or line)
    return AllowanceCharge(
        charge=bool(part.is_charge), amount=_money(part.amount, currency, "BT-92"), reason=part.reason or "",
        category=category, rate=rate, reason_code=part.reason_code or "",
    )  # fmt: skip


def _group(group: model.VatBreakdown, currency: str) -> TaxGroup:
    category, rate = _rate(group.category)
    return TaxGroup(
        category=category, rate=rate, base=_money(group.taxable_amount, currency, "BT-116"),
        tax=_money(group.tax_amount, currency, "BT-117"),
        exemption=(group.category.exemption_reason or "") if group.category else "",
    )  # fmt: skip


def _line(line: model.Line, currency: str) -> Line:
    price = _need(line.price, "BG-29")
    amount = _need(_need(price.amount, "BT-146").value, "BT-146")
    item = _need(line.item, "BG-31")
    category, rate = _rate(item.category)
    scale = max(_scale(amount), CURRENCY_DIGITS[currency])
    return Line(
        id=_need(line.id, "BT-126"), name=_need(item.name, "BT-153"), quantity=_quantity(line.quantity, "BT-129"),
        price=UnitPrice(_integer(amount, scale, "BT-146"), scale, currency),
        net=_money(line.net_amount, currency, "BT-131"), category=category, rate=rate, item=item.seller_id or "",
        base_quantity=_quantity(price.base_quantity, "BT-149") if price.base_quantity else None,
        allowances=tuple(_part(part, currency, item.category) for part in line.allowances_charges),
    )  # fmt: skip


def _firm(party: model.Party) -> Firm:
    """A party; an identifier (BT-29) stands for the registration of one that names no other."""
    other = party.identifiers[0] if party.identifiers else model.Identifier()
    legal, endpoint = party.legal_id or other, party.endpoint or model.Identifier()
    return Firm(
        name=_need(party.name, "BT-27"),
        tax_id=party.vat_id or _other_tax_id(party) or "",
        registration=legal.value or "",
        registration_scheme=legal.scheme or "",
        endpoint=endpoint.value or "",
        endpoint_scheme=endpoint.scheme or "",
        address=_address(party.address) if party.address else None,
    )


def _other_tax_id(party: model.Party) -> str | None:
    return next((r.number for r in party.tax_registrations if r.number), None)


def _address(address: model.Address) -> Address:
    return Address(
        street=address.street or "", city=address.city or "", postal_code=address.postcode or "",
        country=_need(address.country, "BT-40"),
    )  # fmt: skip


def _account(account: model.Account) -> Account | None:
    if not account.id:
        return None
    name, bic = account.name or "", account.service_provider or ""
    try:
        return account_of(account.id, name=name, bic=bic)
    except Refusal:  # BT-84 may be any account: an IBAN where the payment means asks for one, which the rules judge
        electronic = "".join(account.id.split())
        return Account(iban=electronic, digest=account_digest(electronic), name=name, bic=bic)


# out ------------------------------------------------------------------------------------------------------------------


def model_of(document: Document, *, payee: Firm | None = None, account: Account | None = None) -> model.Invoice:
    """The semantic model of a document; with `payee` (BG-10) and its account where the right was assigned."""
    credit = document.is_credit()
    due = None if document.due is None else str(document.due)
    pay_to = account or document.account
    means = (
        model.PaymentInstructions(
            code=document.means or "30", due_date=due if credit else None, reference=document.remittance or None,
            account=None if pay_to is None else _model_account(pay_to),
        ),
    )  # fmt: skip
    before = model.PrecedingInvoice(
        number=document.preceding, issue_date=str(document.preceding_issued) if document.preceding_issued else None
    )
    return model.Invoice(
        kind="CreditNote" if credit else "Invoice",
        customization_id=CUSTOMIZATION,
        profile_id=PROFILE,
        number=document.number,
        issue_date=str(document.issued),
        due_date=None if credit else due,
        type_code=document.kind,
        currency=document.currency,
        buyer_reference=document.buyer_reference or None,
        order_reference=document.order or None,
        preceding_invoices=(before,) if document.preceding else (),
        seller=_party(document.seller),
        buyer=_party(document.buyer),
        payee=None if payee is None else _payee(payee),
        payment_instructions=means if document.means or pay_to else (),
        payment_terms=document.terms or None,
        allowances_charges=tuple(_model_part(part, tax=True) for part in document.allowances),
        tax_totals=(
            model.TaxTotal(amount=_amount(document.totals.tax), breakdown=tuple(map(_breakdown, document.groups))),
        ),
        totals=_totals(document.totals),
        lines=tuple(map(_model_line, document.lines)),
    )


def _decimal(value: int, scale: int) -> Decimal:
    return Decimal(decimal_text(value, scale))


def _amount(money: Money) -> model.Amount:
    return model.Amount(value=_decimal(money.minor, CURRENCY_DIGITS[money.currency]), currency=money.currency)


def _some(money: Money) -> model.Amount | None:
    return _amount(money) if money.minor else None


def _totals(totals: Totals) -> model.Totals:
    return model.Totals(
        line_net=_amount(totals.lines), without_vat=_amount(totals.net), with_vat=_amount(totals.gross),
        allowances=_some(totals.allowances), charges=_some(totals.charges), paid=_some(totals.prepaid),
        rounding=_some(totals.rounding), payable=_amount(totals.payable),
    )  # fmt: skip


def _category(code: str, rate: Rate, exemption: str = "") -> model.TaxCategory:
    value = None if code == "O" else _decimal(rate.parts_per_million, 4).normalize()
    shown = None if value is None else value.quantize(Decimal(1)) if value == value.to_integral_value() else value
    return model.TaxCategory(code=code, rate=shown, exemption_reason=exemption or None)


def _breakdown(group: TaxGroup) -> model.VatBreakdown:
    return model.VatBreakdown(
        taxable_amount=_amount(group.base), tax_amount=_amount(group.tax),
        category=_category(group.category, group.rate, group.exemption),
    )  # fmt: skip


def _model_part(part: AllowanceCharge, *, tax: bool) -> model.AllowanceCharge:
    return model.AllowanceCharge(
        is_charge=part.charge, reason_code=part.reason_code or None, reason=part.reason or None,
        amount=_amount(part.amount), category=_category(part.category, part.rate) if tax else None,
    )  # fmt: skip


def _model_quantity(quantity: Quantity) -> model.Quantity:
    return model.Quantity(value=_decimal(quantity.value, quantity.scale), unit=quantity.unit)


def _model_line(line: Line) -> model.Line:
    price = model.Price(
        amount=model.Amount(value=_decimal(line.price.value, line.price.scale), currency=line.price.currency),
        base_quantity=_model_quantity(line.base_quantity) if line.base_quantity else None,
    )
    return model.Line(
        id=line.id, quantity=_model_quantity(line.quantity), net_amount=_amount(line.net),
        allowances_charges=tuple(_model_part(part, tax=False) for part in line.allowances),
        item=model.Item(name=line.name, seller_id=line.item or None, category=_category(line.category, line.rate)),
        price=price,
    )  # fmt: skip


def _party(firm: Firm) -> model.Party:
    address = firm.address
    scheme = "VAT" if firm.tax_id[:2].isalpha() else "TAX"
    return model.Party(
        endpoint=_identifier(firm.endpoint, firm.endpoint_scheme),
        address=None if address is None else _model_address(address),
        tax_registrations=(model.TaxRegistration(number=firm.tax_id, scheme=scheme),) if firm.tax_id else (),
        legal_name=firm.name,
        legal_id=_identifier(firm.registration, firm.registration_scheme),
    )


def _identifier(value: str, scheme: str) -> model.Identifier | None:
    return model.Identifier(value=value, scheme=scheme or None) if value else None


def _model_address(address: Address) -> model.Address:
    return model.Address(
        street=address.street or None, city=address.city or None, postcode=address.postal_code or None,
        country=address.country,
    )  # fmt: skip


def _payee(firm: Firm) -> model.Party:
    return model.Party(trading_name=firm.name, legal_id=_identifier(firm.registration, firm.registration_scheme))


def _model_account(account: Account) -> model.Account:
    return model.Account(id=account.iban, name=account.name or None, service_provider=account.bic or None)
