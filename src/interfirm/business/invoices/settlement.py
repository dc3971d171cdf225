"""How far an invoice is settled: derived from it and its receivable every time, and stored nowhere."""

from __future__ import annotations

from enum import StrEnum

from interfirm.base.errors import check
from interfirm.business.invoices.contract import Invoice
from interfirm.business.receivables.contract import Receivable
from interfirm.contracts.language import Day


class Settlement(StrEnum):
    """The settlement axis, beside the document's status and the holder of the right."""

    NOT_ACCEPTED = "not-accepted"
    CREDITED = "credited"
    OPEN = "open"
    PART_PAID = "part-paid"
    PAID = "paid"
    WRITTEN_OFF = "written-off"


def settlement_of(invoice: Invoice, right: Receivable | None) -> Settlement:
    """How far an invoice is settled; payments, credits and discounts together make up what was payable.

    Raises Refusal `invoice.receivable` for the receivable of another invoice.
    """
    if right is None:
        whole = invoice.credited() >= invoice.document.totals.payable
        return Settlement.CREDITED if whole and invoice.credits else Settlement.NOT_ACCEPTED
    same = right.invoice == invoice.key() and right.seller == invoice.seller
    check(same, "invoice.receivable", "this is another invoice's receivable", invoice=invoice.number)
    if right.outstanding.minor:
        return Settlement.PART_PAID if right.paid.minor else Settlement.OPEN
    if right.written_off.minor:
        return Settlement.WRITTEN_OFF
    return Settlement.CREDITED if right.credited == right.face else Settlement.PAID


def is_overdue(right: Receivable, on: Day) -> bool:
    """Whether something that is not in dispute was due before a day."""
    return right.outstanding.minor > right.disputed.minor and right.due < on
