"""The way out: an invoice or credit note of a ledger as a UBL file that Peppol takes."""

from __future__ import annotations

from decimal import Decimal

from interfirm.base.money import Money, Quantity, Rate
from interfirm.base.time import Day
from interfirm.formats import facts
from interfirm.formats.en16931 import model
from interfirm.formats.en16931.findings import refuse_findings
from interfirm.formats.numbers import PERCENT_DIGITS
from interfirm.formats.peppol import CUSTOMIZATION, PROFILE, judge_issued
from interfirm.formats.ubl.writer import write_ubl

_TRANSFER = "30"


def export_invoice(invoice: facts.InvoiceFacts) -> bytes:
    """A UBL 2.1 file of Peppol BIS Billing 3 for an invoice or credit note that we issue.

    Raises Refusal `invoice.en16931` with the rules, those of Peppol and of exact arithmetic included, that it breaks.
    """
    document = model.Document(document_of(invoice))
    refuse_findings(judge_issued(document))
    return write_ubl(document)


def document_of(invoice: facts.InvoiceFacts) -> model.Invoice:
    """The invoice as a document of Peppol BIS Billing 3; `facts_of` of it gives the facts again."""
    is_credit = invoice.is_credit_note
    return model.Invoice(
        kind="CreditNote" if is_credit else "Invoice",
        customization_id=CUSTOMIZATION,
        profile_id=PROFILE,
        number=invoice.number,
        issue_date=str(invoice.issued),
        due_date=_day_text(None if is_credit else invoice.due),
        type_code=invoice.kind,
        notes=(invoice.note,) if invoice.note else (),
        currency=invoice.currency,
        buyer_reference=invoice.buyer_reference or None,
        order_reference=invoice.order or None,
        preceding_invoices=tuple(
            model.PrecedingInvoice(held.number, _day_text(held.issued)) for held in invoice.preceding
        ),
        seller=_party_out(invoice.seller),
        buyer=_party_out(invoice.buyer),
        payee=_payee_out(invoice.payee) if invoice.payee is not None else None,
        delivery=model.Delivery(date=str(invoice.delivered)) if invoice.delivered is not None else None,
        payment_instructions=_payment_out(invoice),
        payment_terms=invoice.terms or None,
        allowances_charges=tuple(_adjustment_out(held, with_category=True) for held in invoice.adjustments),
        tax_totals=(model.TaxTotal(_amount(invoice.totals.tax), tuple(_group_out(held) for held in invoice.groups)),),
        totals=_totals_out(invoice),
        lines=tuple(_line_out(line) for line in invoice.lines),
    )


def _day_text(day: Day | None) -> str | None:
    return str(day) if day is not None else None


def _amount(money: Money) -> model.Amount:
    return model.Amount(Decimal(str(money)), money.currency)


def _stated(money: Money, *, always: bool = False) -> model.Amount | None:
    return _amount(money) if money.minor or always else None


def _identifier(value: str, scheme: str) -> model.Identifier | None:
    return model.Identifier(value, scheme or None) if value else None


def _category(code: str, rate: Rate, exemption: str = "", exemption_code: str = "") -> model.TaxCategory:
    percent = Decimal(rate.parts_per_million).scaleb(-PERCENT_DIGITS)
    short = percent.quantize(Decimal("0.01")) if percent == percent.quantize(Decimal("0.01")) else percent
    return model.TaxCategory(code, None if code == "O" else short, exemption_code or None, exemption or None)


def _party_out(party: facts.PartyFacts) -> model.Party:
    return model.Party(
        endpoint=_identifier(party.endpoint, party.endpoint_scheme),
        address=_address_out(party.address) if party.address is not None else None,
        tax_registrations=(model.TaxRegistration(party.tax_id, party.tax_scheme),) if party.tax_id else (),
        legal_name=party.name,
        legal_id=_identifier(party.registration, party.registration_scheme),
    )


def _payee_out(party: facts.PartyFacts) -> model.Party:
    """A payee has a name and a registration; its address and numbers are no business terms."""
    return model.Party(trading_name=party.name, legal_id=_identifier(party.registration, party.registration_scheme))


def _address_out(address: facts.AddressFacts) -> model.Address:
    return model.Address(
        street=address.street or None,
        additional_street=address.additional or None,
        city=address.city or None,
        postcode=address.postal_code or None,
        subdivision=address.region or None,
        country=address.country or None,
    )


def _payment_out(invoice: facts.InvoiceFacts) -> tuple[model.PaymentInstructions, ...]:
    account = invoice.account
    due = invoice.due if invoice.is_credit_note else None
    if not invoice.means and account is None and due is None:
        return ()
    return (
        model.PaymentInstructions(
            code=invoice.means or _TRANSFER,
            due_date=_day_text(due),
            reference=invoice.remittance or None,
            account=model.Account(account.id, account.name or None, account.bic or None) if account else None,
        ),
    )


def _adjustment_out(held: facts.AdjustmentFacts, *, with_category: bool) -> model.AllowanceCharge:
    return model.AllowanceCharge(
        is_charge=held.charge,
        reason_code=held.reason_code or None,
        reason=held.reason or None,
        amount=_amount(held.amount),
        category=_category(held.category, held.rate) if with_category else None,
    )


def _quantity_out(quantity: Quantity) -> model.Quantity:
    return model.Quantity(Decimal(quantity.value).scaleb(-quantity.scale), quantity.unit)


def _line_out(line: facts.LineFacts) -> model.Line:
    price = Decimal(line.price.value).scaleb(-line.price.scale)
    return model.Line(
        id=line.id,
        quantity=_quantity_out(line.quantity),
        net_amount=_amount(line.net),
        order_line=line.order_line or None,
        allowances_charges=tuple(_adjustment_out(held, with_category=False) for held in line.adjustments),
        item=model.Item(name=line.name, seller_id=line.item or None, category=_category(line.category, line.rate)),
        price=model.Price(
            amount=model.Amount(price, line.price.currency),
            base_quantity=_quantity_out(line.base_quantity) if line.base_quantity is not None else None,
        ),
    )


def _group_out(held: facts.TaxGroupFacts) -> model.VatBreakdown:
    category = _category(held.category, held.rate, held.exemption, held.exemption_code)
    return model.VatBreakdown(_amount(held.base), _amount(held.tax), category)


def _totals_out(invoice: facts.InvoiceFacts) -> model.Totals:
    totals = invoice.totals
    charges = any(held.charge for held in invoice.adjustments)
    allowances = any(not held.charge for held in invoice.adjustments)
    return model.Totals(
        line_net=_amount(totals.lines),
        without_vat=_amount(totals.net),
        with_vat=_amount(totals.gross),
        allowances=_stated(totals.allowances, always=allowances),
        charges=_stated(totals.charges, always=charges),
        paid=_stated(totals.prepaid),
        rounding=_stated(totals.rounding),
        payable=_amount(totals.payable),
    )
