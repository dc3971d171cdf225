"""What invoices add to a node: import and export of files, crediting, lists with what is derived."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.money import Rate
from interfirm.business.agreements.contract import Agreement, AgreementStatus
from interfirm.business.companies.contract import Account, Firm
from interfirm.business.invoices.answers import InvoiceStatus
from interfirm.business.invoices.contract import Invoice
from interfirm.business.invoices.document import Document
from interfirm.business.invoices.ubl import document_of, model_of
from interfirm.business.receivables.contract import Receivable
from interfirm.contracts.language import Attachment, Hash, Party, Ref
from interfirm.contracts.types import ContractRef
from interfirm.formats.en16931 import judge, refuse_findings
from interfirm.formats.peppol import judge_issued
from interfirm.formats.ubl import UblDocument, read_ubl, write_ubl
from interfirm.node.arguments import Nothing, OfDocument, takes
from interfirm.node.arguments import Ref as RefText
from interfirm.node.desk import Answer, Desk
from interfirm.node.files import read_limited
from interfirm.node.forms import ref_of, ref_text
from interfirm.node.vault.turn import Turn

LATE_RATE = Rate(101_500)
"""8 percentage points above the reference rate of 2.15 % (Directive 2011/7/EU article 2.6); a default, not a law."""
MEDIA_TYPE = "application/xml"


class InvoiceFile(OfDocument, frozen=True, kw_only=True):
    """A UBL file; `exact` lets its amounts be shown as they stand there."""

    exact: bool | None = None


class InvoiceNamed(Nothing, frozen=True, kw_only=True):
    """An invoice by its number (BT-1), or as a contract."""

    number: str | None = None
    ref: RefText | None = None


def judged_file(path: Path) -> tuple[Document, bytes]:
    """The document in a UBL file on this machine, and the file; raises as `judged`, and Refusal `file.*`."""
    data = read_limited(path)
    return judged(data), data


def judged(data: bytes) -> Document:
    """The document in a UBL file that breaks no fatal rule of EN 16931; Refusal `xml.*`, `invoice.*`."""
    found = read_ubl(data)
    refuse_findings(judge(found))
    return document_of(found.invoice)


@takes(InvoiceFile)
def import_invoice(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Issue the invoice in a UBL file (`document`, `name`) to its buyer; the original is kept as attachment."""
    name, data = desk.file(arguments)
    document = judged(data)
    if document.is_credit():
        raise Refusal("invoice.kind", "this is a credit note; `invoice credit` gives it", number=document.number)
    if desk.names.identity_of(document.seller.tax_id) != desk.me:
        raise Refusal("invoice.seller", "this firm is not the invoice's seller", seller=document.seller.tax_id)
    buyer = Party(desk.names.identity_of(document.buyer.tax_id))
    if document.account is None:
        raise Refusal("invoice.account", "an invoice says where to pay (BT-84)", number=document.number)
    with desk.vault.read() as turn:
        agreement = _agreement(desk, turn, buyer)
    content = desk.vault.attachment_put_stream([data])
    invoice = Invoice(
        seller=Party(desk.me), buyer=buyer, document=document, number=document.number, payable=document.totals.payable,
        due=document.due_day(), account=document.account, late_rate=LATE_RATE, agreement=agreement,
        exact=bool(arguments.get("exact", False)),
        attachments=(Attachment(content=Hash(content), media_type=MEDIA_TYPE, size_bytes=len(data), name=name),),
    )  # fmt: skip
    return desk.submit([desk.creation(invoice)], request=desk.request_id(arguments), arguments=arguments)


def _agreement(desk: Desk, turn: Turn, buyer: Party) -> Ref[Agreement] | None:
    """The agreement in effect with the buyer, where there is exactly one."""
    found = [
        ref
        for ref, agreement in desk.every_as(turn, Agreement)
        if buyer in agreement.parties and agreement.status == AgreementStatus.IN_EFFECT
    ]
    return Ref(found[0].transaction, found[0].index) if len(found) == 1 else None


@takes(InvoiceFile)
def credit_invoice(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Give the credit note in a UBL file (`document`) on the invoice that it names (BT-25)."""
    _, data = desk.file(arguments)
    document = judged(data)
    if not document.is_credit():
        raise Refusal("invoice.kind", "this is no credit note", number=document.number, kind=document.kind)
    desk.vault.attachment_put_stream([data])
    with desk.vault.read() as turn:
        ref, invoice = invoice_by_number(desk, turn, document.preceding)
        right = _right_of(desk, turn, invoice)
        holder = None if right is None else right[1].holder
        command = desk.choice(
            turn, ref, "credit", note=document, exact=bool(arguments.get("exact", False)),
            receivable=None if right is None else Ref(right[0].transaction, right[0].index), holder=holder,
        )  # fmt: skip
    return desk.submit([command], request=desk.request_id(arguments), arguments=arguments)


def invoice_by_number(desk: Desk, turn: Turn, number: str) -> tuple[ContractRef, Invoice]:
    """The active invoice with this number (BT-1); Refusal `invoice.unknown` where there is none, or several."""
    found = [(ref, invoice) for ref, invoice in desk.every_as(turn, Invoice) if invoice.number == number]
    if len(found) != 1:
        raise Refusal("invoice.unknown", "there is no such invoice, or several", number=number, found=len(found))
    return found[0]


def _right_of(desk: Desk, turn: Turn, invoice: Invoice) -> tuple[ContractRef, Receivable] | None:
    return next(((r, right) for r, right in desk.every_as(turn, Receivable) if right.invoice == invoice.key()), None)


@takes(Nothing)
def list_invoices(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Invoices with status, what is payable, and what became of it: settlement and holder are derived, never stored."""
    with desk.vault.read() as turn:
        rights = {right.invoice: right for _, right in desk.every_as(turn, Receivable)}
        rows = [_row(desk, ref, invoice, rights.get(invoice.key())) for ref, invoice in desk.every_as(turn, Invoice)]
    return {"invoices": sorted(rows, key=lambda row: str(row["number"]))}


def _row(desk: Desk, ref: ContractRef, invoice: Invoice, right: Receivable | None) -> dict[str, Any]:
    return {
        "ref": ref_text(ref),
        "number": invoice.number,
        "seller": desk.names.name_of(invoice.seller.id),
        "buyer": desk.names.name_of(invoice.buyer.id),
        "issued": str(invoice.document.issued),
        "due": str(invoice.due),
        "status": InvoiceStatus(invoice.status).value,
        "settlement": _settlement(invoice, right),
        "gross": str(invoice.document.totals.gross),
        "payable": str(invoice.payable),
        "outstanding": str(right.outstanding) if right else str(invoice.payable),
        "currency": invoice.document.currency,
        "holder": desk.names.name_of(right.holder.id) if right else None,
    }


def _settlement(invoice: Invoice, right: Receivable | None) -> str:
    """PAID, PART_PAID, CREDITED or OPEN: from payments and credits every time (04-business 1.4)."""
    if invoice.payable.minor == 0:
        return "credited"
    if right is None:
        return "open"
    if right.outstanding.minor == 0:
        return "written-off" if right.written_off.minor else "paid"
    return "part-paid" if right.paid.minor else "open"


@takes(InvoiceNamed)
def show_invoice(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """One invoice, whole, with what is derived."""
    with desk.vault.read() as turn:
        ref, invoice = _found(desk, turn, arguments)
        right = _right_of(desk, turn, invoice)
        row = _row(desk, ref, invoice, right[1] if right else None)
    return {**row, "document": desk.forms.write(invoice.document), "attachments": desk.forms.write(invoice.attachments)}


def _found(desk: Desk, turn: Turn, arguments: dict[str, Any]) -> tuple[ContractRef, Invoice]:
    if arguments.get("number"):
        return invoice_by_number(desk, turn, str(arguments["number"]))
    ref = ref_of(str(arguments.get("ref", "")))
    return ref, desk.read_as(turn, ref, Invoice)


@takes(InvoiceNamed)
def export_invoice(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """An invoice as UBL 2.1 (Peppol BIS Billing 3): the payee and account are those of the right's present holder."""
    with desk.vault.read() as turn:
        _, invoice = _found(desk, turn, arguments)
        right = _right_of(desk, turn, invoice)
    payee, account = _payee(desk, invoice, right[1] if right else None)
    document = UblDocument(model_of(invoice.document, payee=payee, account=account))
    # line amounts of an imported document are taken as they are (Peppol R120 is for what we issue)
    refuse_findings(judge_issued(document) if invoice.exact else judge(document))
    return {"number": invoice.number, "xml": write_ubl(document).decode()}


def _payee(desk: Desk, invoice: Invoice, right: Receivable | None) -> tuple[Firm | None, Account | None]:
    if right is None or right.payee == invoice.seller:
        return None, None
    number = desk.names.registration_of(right.payee.id)
    legal = number[2:] if number[:2].isalpha() else number
    scheme = "0208" if number.startswith("BE") else ""
    firm = Firm(name=desk.names.name_of(right.payee.id), tax_id=number, registration=legal, registration_scheme=scheme)
    return firm, right.account


OPERATIONS: dict[str, Any] = {
    "invoice.import": import_invoice,
    "invoice.credit": credit_invoice,
    "invoice.list": list_invoices,
    "invoice.show": show_invoice,
    "invoice.export": export_invoice,
}
