"""Bank statements: ISO 20022 camt.053 (BankToCustomerStatement), read strictly and written in version 08.

Elements are found by local name, so that the versions 001.02 to 001.13 read alike; where they differ (parties, status,
amounts of transactions) both places are looked at.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal

from lxml import etree

from interfirm.base.errors import Refusal, check
from interfirm.base.money import CURRENCY_DIGITS, Money
from interfirm.base.time import Day
from interfirm.base.values import Value
from interfirm.formats.identifiers import check_iban
from interfirm.formats.numbers import parse_number, scaled_integer
from interfirm.formats.xml import Element, add, local_name, parse, serialise, text_of

_NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:camt\.053\.001\.(0[2-9]|1[0-3])")
_WRITTEN_NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
_OPENING = ("OPBD", "PRCD")
_CLOSING = ("CLBD",)
_NOT_PROVIDED = "NOTPROVIDED"
BOOKED = "BOOK"

Direction = Literal["credit", "debit"]
_DIRECTIONS: dict[str, Direction] = {"CRDT": "credit", "DBIT": "debit"}
_INDICATORS = {direction: code for code, direction in _DIRECTIONS.items()}


class Counterparty(Value, frozen=True):
    """The payer or payee of a transaction, as far as the bank tells."""

    name: str | None = None
    iban: str | None = None
    """Without spaces; not checked, as it is the other bank's."""


class Transaction(Value, frozen=True):
    """One payment within an entry (TxDtls)."""

    end_to_end_id: str | None = None
    """What the payer gave it; absent where the bank says NOTPROVIDED."""
    amount: Money | None = None
    """Its part of the entry, where the bank tells."""
    debtor: Counterparty = Counterparty()
    creditor: Counterparty = Counterparty()
    remittance: tuple[str, ...] = ()
    """Unstructured remittance information, line by line."""
    references: tuple[str, ...] = ()
    """Structured creditor references and numbers of the documents referred to."""


class Entry(Value, frozen=True):
    """One movement on the account (Ntry)."""

    amount: Money
    """Never negative; `direction` has the sign."""
    direction: Direction
    booking_day: Day
    value_day: Day | None
    bank_reference: str | None
    """AcctSvcrRef, unique in a statement."""
    status: str = BOOKED
    """BOOK, PDNG or INFO; only booked entries move the balance."""
    is_reversal: bool = False
    transactions: tuple[Transaction, ...] = ()

    @property
    def signed(self) -> Money:
        """The amount, negative for a debit."""
        return self.amount if self.direction == "credit" else -self.amount


class Statement(Value, frozen=True):
    """One statement of one account (Stmt), whose balances and entries agree."""

    id: str
    account: str
    """IBAN."""
    currency: str
    created: str
    """ISO 8601 date and time, as written."""
    opening_day: Day
    opening: Money
    closing_day: Day
    closing: Money
    entries: tuple[Entry, ...] = ()


def read_statement(data: bytes) -> Statement:
    """The one statement in a camt.053 file.

    Raises Refusal `xml.*` as the parser, `camt053.root` for another document, `camt053.count` unless there is exactly
    one statement, `camt053.missing` and `camt053.value` for an element that is not there or holds no value of its type,
    `camt053.account` for an invalid IBAN, `camt053.currency` where currencies differ, `camt053.repeated` for a bank
    reference met twice, `camt053.entry-sum` where transactions do not add up to their entry, `camt053.balance` where
    opening balance and booked entries do not give the closing balance.
    """
    root = parse(data)
    namespace = etree.QName(root).namespace or ""
    if local_name(root) != "Document" or not _NAMESPACE.fullmatch(namespace):
        raise Refusal("camt053.root", "this is no camt.053 bank statement", root=str(root.tag)[:120])
    statements = _all(root, "BkToCstmrStmt/Stmt")
    check(len(statements) == 1, "camt053.count", "the file holds exactly one statement", count=len(statements))
    return check_statement(_statement(statements[0]))


def check_statement(statement: Statement) -> Statement:
    """The statement itself, once its currencies, references and sums agree; raises as `read_statement`."""
    amounts = [statement.opening, statement.closing, *(entry.amount for entry in statement.entries)]
    amounts += [held.amount for entry in statement.entries for held in entry.transactions if held.amount is not None]
    for amount in amounts:
        if amount.currency != statement.currency:
            raise Refusal(
                "camt053.currency",
                "an amount is not in the account's currency",
                account=statement.currency,
                amount=amount.currency,
            )
    references = Counter(entry.bank_reference for entry in statement.entries if entry.bank_reference is not None)
    repeated = [reference for reference, count in references.items() if count > 1]
    check(not repeated, "camt053.repeated", "two entries have one bank reference", references=repeated[:10])
    for entry in statement.entries:
        _check_entry(entry)
    _check_balance(statement)
    return statement


def _check_entry(entry: Entry) -> None:
    if entry.amount.minor < 0:
        raise Refusal("camt053.value", "an entry's amount is not negative", amount=str(entry.amount))
    parts = [held.amount for held in entry.transactions]
    known = [part.minor for part in parts if part is not None]
    if parts and len(known) == len(parts) and sum(known) != entry.amount.minor:
        raise Refusal(
            "camt053.entry-sum",
            "the transactions of an entry do not add up to it",
            entry=entry.amount.minor,
            transactions=sum(known),
            reference=entry.bank_reference,
        )


def _check_balance(statement: Statement) -> None:
    booked = sum(entry.signed.minor for entry in statement.entries if entry.status == BOOKED)
    if statement.opening.minor + booked != statement.closing.minor:
        raise Refusal(
            "camt053.balance",
            "opening balance and entries do not give the closing balance",
            opening=statement.opening.minor,
            entries=booked,
            closing=statement.closing.minor,
        )


# reading


def _statement(element: Element) -> Statement:
    account = _required(element, "Acct/Id/IBAN")
    try:
        iban = check_iban(account)
    except Refusal as refusal:
        raise Refusal("camt053.account", "the account's IBAN is not valid", iban=account[:40]) from refusal
    opening, closing = _balance(element, _OPENING), _balance(element, _CLOSING)
    return Statement(
        id=_required(element, "Id"),
        account=iban,
        currency=_optional(element, "Acct/Ccy") or opening[1].currency,
        created=_required(element, "CreDtTm"),
        opening_day=opening[0],
        opening=opening[1],
        closing_day=closing[0],
        closing=closing[1],
        entries=tuple(_entry(entry) for entry in _all(element, "Ntry")),
    )


def _balance(statement: Element, codes: tuple[str, ...]) -> tuple[Day, Money]:
    for balance in _all(statement, "Bal"):
        if _optional(balance, "Tp/CdOrPrtry/Cd") in codes:
            amount = _amount(_one(balance, "Amt"))
            day = _day(balance, "Dt")
            if day is None:
                raise _missing("Bal/Dt")
            return day, amount if _direction(balance) == "credit" else -amount
    raise _missing(f"Bal of type {' or '.join(codes)}")


def _entry(element: Element) -> Entry:
    booking_day = _day(element, "BookgDt")
    value_day = _day(element, "ValDt")
    if booking_day is None:
        raise _missing("Ntry/BookgDt")
    return Entry(
        amount=_amount(_one(element, "Amt")),
        direction=_direction(element),
        booking_day=booking_day,
        value_day=value_day,
        bank_reference=_optional(element, "AcctSvcrRef"),
        status=_optional(element, "Sts/Cd") or _required(element, "Sts"),
        is_reversal=_optional(element, "RvslInd") in {"true", "1"},
        transactions=tuple(_transaction(held) for held in _all(element, "NtryDtls/TxDtls")),
    )


def _transaction(element: Element) -> Transaction:
    amounts = _all(element, "Amt") or _all(element, "AmtDtls/TxAmt/Amt")
    end_to_end_id = _optional(element, "Refs/EndToEndId")
    references = _all(element, "RmtInf/Strd/CdtrRefInf/Ref") + _all(element, "RmtInf/Strd/RfrdDocInf/Nb")
    return Transaction(
        end_to_end_id=None if end_to_end_id == _NOT_PROVIDED else end_to_end_id,
        amount=_amount(amounts[0]) if amounts else None,
        debtor=_counterparty(element, "Dbtr"),
        creditor=_counterparty(element, "Cdtr"),
        remittance=tuple(text_of(held) for held in _all(element, "RmtInf/Ustrd")),
        references=tuple(text_of(held) for held in references),
    )


def _counterparty(transaction: Element, role: str) -> Counterparty:
    path = f"RltdPties/{role}"
    name = _optional(transaction, f"{path}/Pty/Nm") or _optional(transaction, f"{path}/Nm")
    iban = _optional(transaction, f"{path}Acct/Id/IBAN")
    return Counterparty(name, iban.replace(" ", "") if iban is not None else None)


def _amount(element: Element) -> Money:
    currency, text = str(element.get("Ccy", "")), text_of(element)
    digits = CURRENCY_DIGITS.get(currency)
    check(digits is not None, "camt053.currency", "this is no ISO 4217 currency", currency=currency[:8])
    assert digits is not None
    try:
        minor = scaled_integer(parse_number(text), digits)
    except Refusal as refusal:
        raise Refusal("camt053.value", "this is no amount", text=text[:40]) from refusal
    if minor is None:
        raise Refusal("camt053.value", "an amount has more decimals than its currency", text=text, currency=currency)
    return Money(minor, currency)


def _direction(element: Element) -> Direction:
    code = _required(element, "CdtDbtInd")
    if code not in _DIRECTIONS:
        raise Refusal("camt053.value", "an amount is a credit or a debit", text=code[:40])
    return _DIRECTIONS[code]


def _day(element: Element, path: str) -> Day | None:
    text = _optional(element, f"{path}/Dt") or _optional(element, f"{path}/DtTm")
    if text is None:
        return None
    try:
        return Day.parse(text[:10])
    except Refusal as refusal:
        raise Refusal("camt053.value", "this is no day", text=text[:40]) from refusal


def _all(element: Element, path: str) -> list[Element]:
    return element.findall("/".join(f"{{*}}{step}" for step in path.split("/")))


def _one(element: Element, path: str) -> Element:
    found = _all(element, path)
    if not found:
        raise _missing(path)
    return found[0]


def _optional(element: Element, path: str) -> str | None:
    found = _all(element, path)
    return (text_of(found[0]) or None) if found else None


def _required(element: Element, path: str) -> str:
    text = _optional(element, path)
    if text is None:
        raise _missing(f"{local_name(element)}/{path}")
    return text


def _missing(path: str) -> Refusal:
    return Refusal("camt053.missing", "an element that a statement needs is not there", path=path)


# writing


def write_statement(statement: Statement) -> bytes:
    """The statement as a camt.053.001.08 file, checked as one that is read; its message has the statement's id."""
    check_statement(statement)
    root = etree.Element(f"{{{_WRITTEN_NAMESPACE}}}Document", nsmap={None: _WRITTEN_NAMESPACE})  # type: ignore[dict-item] # the stubs know no default namespace
    message = _add(root, "BkToCstmrStmt")
    header = _add(message, "GrpHdr")
    _add(header, "MsgId", statement.id)
    _add(header, "CreDtTm", statement.created)
    body = _add(message, "Stmt")
    _add(body, "Id", statement.id)
    _add(body, "CreDtTm", statement.created)
    account = _add(body, "Acct")
    _add(_add(account, "Id"), "IBAN", statement.account)
    _add(account, "Ccy", statement.currency)
    _add_balance(body, "OPBD", statement.opening, statement.opening_day)
    _add_balance(body, "CLBD", statement.closing, statement.closing_day)
    for entry in statement.entries:
        _add_entry(_add(body, "Ntry"), entry)
    return serialise(root)


def _add(parent: Element, name: str, text: str | None = None) -> Element:
    return add(parent, f"{{{_WRITTEN_NAMESPACE}}}{name}", text)


def _add_amount(parent: Element, amount: Money) -> None:
    _add(parent, "Amt", str(amount)).set("Ccy", amount.currency)


def _add_balance(parent: Element, code: str, amount: Money, day: Day) -> None:
    balance = _add(parent, "Bal")
    _add(_add(_add(balance, "Tp"), "CdOrPrtry"), "Cd", code)
    _add_amount(balance, amount if amount.minor >= 0 else -amount)
    _add(balance, "CdtDbtInd", "CRDT" if amount.minor >= 0 else "DBIT")
    _add(_add(balance, "Dt"), "Dt", str(day))


def _add_entry(element: Element, entry: Entry) -> None:
    _add_amount(element, entry.amount)
    _add(element, "CdtDbtInd", _INDICATORS[entry.direction])
    if entry.is_reversal:
        _add(element, "RvslInd", "true")
    _add(_add(element, "Sts"), "Cd", entry.status)
    _add(_add(element, "BookgDt"), "Dt", str(entry.booking_day))
    if entry.value_day is not None:
        _add(_add(element, "ValDt"), "Dt", str(entry.value_day))
    if entry.bank_reference is not None:
        _add(element, "AcctSvcrRef", entry.bank_reference)
    domain = _add(_add(element, "BkTxCd"), "Domn")
    _add(domain, "Cd", "PMNT")
    family = _add(domain, "Fmly")
    _add(family, "Cd", "RCDT" if entry.direction == "credit" else "ICDT")
    _add(family, "SubFmlyCd", "ESCT")
    if entry.transactions:
        details = _add(element, "NtryDtls")
        for transaction in entry.transactions:
            _add_transaction(_add(details, "TxDtls"), transaction, entry.direction)


def _add_transaction(element: Element, transaction: Transaction, direction: Direction) -> None:
    _add(_add(element, "Refs"), "EndToEndId", transaction.end_to_end_id or _NOT_PROVIDED)
    if transaction.amount is not None:
        _add_amount(element, transaction.amount)
        _add(element, "CdtDbtInd", _INDICATORS[direction])
    parties = {"Dbtr": transaction.debtor, "Cdtr": transaction.creditor}
    if any(party != Counterparty() for party in parties.values()):
        related = _add(element, "RltdPties")
        for role, party in parties.items():
            if party.name is not None:
                _add(_add(_add(related, role), "Pty"), "Nm", party.name)
            if party.iban is not None:
                _add(_add(_add(related, f"{role}Acct"), "Id"), "IBAN", party.iban)
    if transaction.remittance or transaction.references:
        remittance = _add(element, "RmtInf")
        for line in transaction.remittance:
            _add(remittance, "Ustrd", line)
        for reference in transaction.references:
            _add(_add(_add(remittance, "Strd"), "RfrdDocInf"), "Nb", reference)
