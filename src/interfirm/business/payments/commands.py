"""What payments add to a node: a bank signs the entries of its account statement (camt.053)."""

from __future__ import annotations

from typing import Any

from interfirm.base.errors import Refusal
from interfirm.base.hashing import sha256
from interfirm.business.companies.accounts import account_digest
from interfirm.business.payments.contract import BankEntry
from interfirm.contracts.language import Hash, Party
from interfirm.formats.camt053 import BOOKED, Entry, Statement, Transaction, read_statement
from interfirm.node.arguments import OfDocument, takes
from interfirm.node.desk import Answer, Desk


@takes(OfDocument)
def import_statement(desk: Desk, arguments: dict[str, Any]) -> Answer:
    """Sign every incoming transfer between members that a camt.053 statement (`document`) books, in one transaction."""
    _, data = desk.file(arguments)
    statement = read_statement(data)
    entries = [
        made
        for entry in statement.entries
        for transfer in entry.transactions
        if (made := _evidence(desk, statement, entry, transfer, sha256(data))) is not None
    ]
    if not entries:
        raise Refusal("payment.statement", "the statement books no transfer between members", statement=statement.id)
    commands = [desk.creation(entry) for entry in entries]
    return desk.submit(commands, request=desk.request_id(arguments), arguments=arguments)


def _evidence(desk: Desk, statement: Statement, entry: Entry, transfer: Transaction, file: bytes) -> BankEntry | None:
    """The evidence of one booked incoming transfer whose debtor and creditor are members; None for any other."""
    booked = entry.direction == "credit" and entry.status == BOOKED and not entry.is_reversal
    if not booked or transfer.debtor.iban is None or transfer.end_to_end_id is None:
        return None
    try:
        payer = desk.names.identity_of(transfer.debtor.name or "")
        payee = desk.names.identity_of(transfer.creditor.name or "")
    except Refusal:
        return None
    return BankEntry(
        bank=Party(desk.me), payer=Party(payer), payee=Party(payee), amount=transfer.amount or entry.amount,
        end_to_end_id=transfer.end_to_end_id, booked=entry.booking_day, value=entry.value_day or entry.booking_day,
        debtor_account=account_digest(transfer.debtor.iban), creditor_account=account_digest(statement.account),
        reference=entry.bank_reference or "", entry=Hash(file),
    )  # fmt: skip


OPERATIONS: dict[str, Any] = {"payment.statement": import_statement}
