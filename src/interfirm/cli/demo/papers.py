"""The papers of the scenario: the invoice given, and what follows from it: credit note, altered copy, statement."""

from __future__ import annotations

from pathlib import Path

from interfirm.base.errors import Refusal
from interfirm.base.money import Money
from interfirm.base.time import Day
from interfirm.business.invoices.commands import judged_file
from interfirm.business.invoices.document import Document, TaxGroup, Totals
from interfirm.business.invoices.ubl import model_of
from interfirm.contracts.language import Quantity
from interfirm.formats import camt053
from interfirm.formats.ubl import UblDocument, write_ubl

DAMAGED = 10
"""How many units of the invoice's last line arrive damaged."""


class Papers:
    """Files in a folder of the demo's network."""

    def __init__(self, folder: Path, source: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self.invoice = source.resolve()
        document, data = judged_file(source)
        self.altered = self._write("altered.xml", _renumbered(data, document.number))
        note = write_ubl(UblDocument(model_of(credit_note(document))))
        self.credit_note = self._write("credit-note.xml", note)

    def _write(self, name: str, data: bytes) -> Path:
        path = self._folder / name
        path.write_bytes(data)
        return path.resolve()

    def statement(self, amount: str, currency: str, day: Day, iban: str, names: dict[str, str]) -> Path:
        """The lender's account statement (camt.053) that books the buyer's transfer of an amount on a day."""
        whole, _, cents = amount.partition(".")
        paid = Money(int(whole + cents), currency)
        zero = paid.zero()
        entry = camt053.Entry(
            amount=paid, direction="credit", booking_day=day, value_day=day, bank_reference="REF-2026-0001",
            transactions=(
                camt053.Transaction(
                    end_to_end_id="E2E-2026-0001", amount=paid,
                    debtor=camt053.Counterparty(name=names["buyer"], iban="BE84539007547037"),
                    creditor=camt053.Counterparty(name=names["lender"], iban=iban),
                ),
            ),
        )  # fmt: skip
        made = camt053.Statement(
            id="STMT-1", account=iban, currency=currency, created=f"{day}T18:00:00", opening_day=day, opening=zero,
            closing_day=day, closing=paid, entries=(entry,),
        )  # fmt: skip
        return self._write("statement.xml", camt053.write_statement(made))


def credit_note(document: Document) -> Document:
    """The credit note on ten units of an invoice's last line, its tax rounded on its own."""
    line = document.lines[-1]
    quantity = Quantity(DAMAGED * 10**line.quantity.scale, line.quantity.scale, line.quantity.unit)
    if quantity.compare(line.quantity) > 0:
        raise Refusal("demo.invoice", "the scenario needs ten units on the last line", number=document.number)
    net = line.price.total(quantity)
    tax = net.share(line.rate)
    zero = net.zero()
    day = document.issued.plus(2)
    return document.replace(
        number=f"CN-{document.number.removeprefix('INV-')}",
        kind="381",
        issued=day,
        due=None,
        lines=(line.replace(id="1", quantity=quantity, net=net, allowances=()),),
        groups=(TaxGroup(category=line.category, rate=line.rate, base=net, tax=tax),),
        totals=Totals(
            lines=net, allowances=zero, charges=zero, net=net, tax=tax, gross=net + tax, prepaid=zero, rounding=zero,
            payable=net + tax,
        ),
        allowances=(),
        preceding=document.number,
        preceding_issued=document.issued,
    )  # fmt: skip


def _renumbered(data: bytes, number: str) -> bytes:
    """The same file under another invoice number (BT-1, the first element that holds it)."""
    return data.replace(f":ID>{number}<".encode(), f":ID>{number}-A<".encode(), 1)
