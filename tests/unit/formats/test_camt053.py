"""Statements are read alike in all versions, and refused where their parts do not agree."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.formats.documents import EXAMPLES

from interfirm.base.errors import Refusal
from interfirm.base.money import Money
from interfirm.base.time import Day
from interfirm.formats.camt053 import (
    Counterparty,
    Entry,
    Statement,
    Transaction,
    read_statement,
    write_statement,
)

FILE = (EXAMPLES / "statement-2026-11-24.camt053.xml").read_bytes()
STATEMENT = read_statement(FILE)
DAY = Day.of(2026, 11, 24)

OLD_VERSION = b"""<?xml version="1.0"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.02"><BkToCstmrStmt>
  <GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-11-24T18:00:00</CreDtTm></GrpHdr>
  <Stmt><Id>S1</Id><CreDtTm>2026-11-24T18:00:00</CreDtTm>
    <Acct><Id><IBAN>BE41 5390 0754 7035</IBAN></Id></Acct>
    <Bal><Tp><CdOrPrtry><Cd>ITAV</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">1</Amt><CdtDbtInd>CRDT</CdtDbtInd>
      <Dt><Dt>2026-11-23</Dt></Dt></Bal>
    <Bal><Tp><CdOrPrtry><Cd>PRCD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">10.00</Amt><CdtDbtInd>DBIT</CdtDbtInd>
      <Dt><Dt>2026-11-23</Dt></Dt></Bal>
    <Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="EUR">135131.87</Amt><CdtDbtInd>CRDT</CdtDbtInd>
      <Dt><DtTm>2026-11-24T23:59:59+01:00</DtTm></Dt></Bal>
    <Ntry><Amt Ccy="EUR">135141.87</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>
      <BookgDt><DtTm>2026-11-24T10:00:00</DtTm></BookgDt><AcctSvcrRef>R1</AcctSvcrRef><RvslInd>true</RvslInd>
      <NtryDtls><TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>
        <AmtDtls><TxAmt><Amt Ccy="EUR">135141.87</Amt></TxAmt></AmtDtls>
        <RltdPties><Dbtr><Nm>Halden Retail BV</Nm></Dbtr>
          <DbtrAcct><Id><IBAN>BE84 5390 0754 7037</IBAN></Id></DbtrAcct></RltdPties>
        <RmtInf><Ustrd>INV-2026-0001</Ustrd><Strd><CdtrRefInf><Ref>RF18</Ref></CdtrRefInf></Strd></RmtInf>
      </TxDtls></NtryDtls></Ntry>
    <Ntry><Amt Ccy="EUR">5.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>PDNG</Sts>
      <BookgDt><Dt>2026-11-25</Dt></BookgDt><ValDt><Dt>2026-11-26</Dt></ValDt></Ntry>
  </Stmt></BkToCstmrStmt></Document>"""


def refused(data: bytes) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        read_statement(data)
    return refusal.value


def test_the_scenarios_statement_shows_the_payment() -> None:
    assert (STATEMENT.account, STATEMENT.currency) == ("BE41539007547035", "EUR")
    (entry,) = STATEMENT.entries
    assert (entry.amount, entry.direction, entry.booking_day) == (Money(13_514_187, "EUR"), "credit", DAY)
    (transaction,) = entry.transactions
    assert transaction.end_to_end_id == "HALDEN-2026-11-24-0001"
    assert transaction.debtor == Counterparty("Halden Retail BV", "BE84539007547037")
    assert transaction.creditor == Counterparty("Lumen Factors NV", "BE41539007547035")
    assert transaction.references == ("INV-2026-0001", "CN-2026-0001")
    assert write_statement(STATEMENT) == FILE


def test_an_older_version_is_read_alike() -> None:
    statement = read_statement(OLD_VERSION)
    assert (statement.opening, statement.closing) == (Money(-1000, "EUR"), Money(13_513_187, "EUR"))
    assert (statement.currency, statement.closing_day) == ("EUR", DAY)
    booked, pending = statement.entries
    assert (booked.status, booked.is_reversal, booked.booking_day, booked.value_day) == ("BOOK", True, DAY, None)
    assert booked.transactions == (
        Transaction(
            None,
            Money(13_514_187, "EUR"),
            Counterparty("Halden Retail BV", "BE84539007547037"),
            Counterparty(),
            ("INV-2026-0001",),
            ("RF18",),
        ),
    )
    assert (pending.status, pending.bank_reference, pending.value_day) == ("PDNG", None, Day.of(2026, 11, 26))


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (b"camt.053.001.08", b"camt.054.001.08", "camt053.root"),
        (b"camt.053.001.08", b"camt.053.001.01", "camt053.root"),
        (b"<Stmt>", b"<Stmt/><Stmt>", "camt053.count"),
        (b"Stmt>", b"Rpt>", "camt053.count"),
        (b"BE41539007547035", b"BE41539007547036", "camt053.account"),
        (b"<IBAN>BE41539007547035</IBAN>", b"<Othr/>", "camt053.missing"),
        (b"<Cd>OPBD</Cd>", b"<Cd>XXXX</Cd>", "camt053.missing"),
        (b"<Cd>CLBD</Cd>", b"<Cd>XXXX</Cd>", "camt053.missing"),
        (b"<Amt Ccy=\"EUR\">500000.00</Amt>", b"", "camt053.missing"),
        (b"<Cd>BOOK</Cd>", b"", "camt053.missing"),
        (b"<Dt>2026-11-24</Dt>\n        </BookgDt>", b"</BookgDt>", "camt053.missing"),
        (b"<Dt>\n          <Dt>2026-11-24</Dt>\n        </Dt>", b"", "camt053.missing"),
        (b"<CdtDbtInd>CRDT</CdtDbtInd>", b"<CdtDbtInd>BOTH</CdtDbtInd>", "camt053.value"),
        (b">500000.00<", b">500.000,00<", "camt053.value"),
        (b">500000.00<", b">500000.001<", "camt053.value"),
        (b">500000.00<", b">5e5<", "camt053.value"),
        (b"<Dt>2026-11-24</Dt>", b"<Dt>24.11.2026</Dt>", "camt053.value"),
        (b">135141.87<", b">-135141.87<", "camt053.value"),
        (b"Ccy=\"EUR\">500000.00", b"Ccy=\"EURO\">500000.00", "camt053.currency"),
        (b"Ccy=\"EUR\">500000.00", b"Ccy=\"SEK\">500000.00", "camt053.currency"),
        (b"<Ccy>EUR</Ccy>", b"<Ccy>SEK</Ccy>", "camt053.currency"),
        (b">500000.00<", b">500000.01<", "camt053.balance"),
        (b">135141.87<", b">135141.88<", "camt053.entry-sum"),
        (b"<CdtDbtInd>CRDT</CdtDbtInd>\n        <Sts>", b"<CdtDbtInd>DBIT</CdtDbtInd><Sts>", "camt053.balance"),
        (b"<?xml version='1.0' encoding='UTF-8'?>", b"<!DOCTYPE Document>", "xml.entities"),
    ],
)  # fmt: skip
def test_a_statement_whose_parts_disagree_is_refused(old: bytes, new: bytes, code: str) -> None:
    assert old in FILE, "the example does not hold what the test changes"
    count = -1 if old == b"Stmt>" else 1
    assert refused(FILE.replace(old, new, count)).code == code


def test_a_bank_reference_met_twice_is_refused() -> None:
    start, end = FILE.index(b"<Ntry>"), FILE.index(b"</Ntry>") + len(b"</Ntry>")
    twice = FILE[:end] + FILE[start:end] + FILE[end:]
    assert refused(twice).code == "camt053.repeated"


def test_a_statement_that_does_not_add_up_is_not_written() -> None:
    with pytest.raises(Refusal, match=r"camt053\.balance"):
        write_statement(STATEMENT.replace(closing=Money(0, "EUR")))


TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=382), min_size=1, max_size=12).filter(
    lambda text: text.strip() == text != "NOTPROVIDED"
)
PARTIES = st.builds(Counterparty, st.none() | TEXT, st.sampled_from([None, "BE84539007547037"]))


@st.composite
def statements(draw: st.DrawFn) -> Statement:
    entries = []
    for position in range(draw(st.integers(0, 4))):
        parts = draw(st.lists(st.integers(0, 10**9), max_size=3))
        transactions = tuple(
            Transaction(
                draw(st.none() | TEXT), Money(part, "EUR"), draw(PARTIES), draw(PARTIES),
                tuple(draw(st.lists(TEXT, max_size=2))), tuple(draw(st.lists(TEXT, max_size=2))),
            )
            for part in parts
        )  # fmt: skip
        amount = Money(sum(parts) if parts else draw(st.integers(0, 10**9)), "EUR")
        direction = draw(st.sampled_from(["credit", "debit"]))
        status = draw(st.sampled_from(["BOOK", "PDNG"]))
        value_day = draw(st.none() | st.just(DAY))
        entries.append(
            Entry(amount, direction, DAY, value_day, f"R{position}", status, draw(st.booleans()), transactions)
        )
    opening = Money(draw(st.integers(-(10**9), 10**9)), "EUR")
    moved = sum(entry.signed.minor for entry in entries if entry.status == "BOOK")
    closing = Money(opening.minor + moved, "EUR")
    return STATEMENT.replace(opening=opening, closing=closing, entries=tuple(entries))


@settings(max_examples=60, deadline=None)
@given(statements())
def test_any_statement_is_the_same_after_writing_and_reading(statement: Statement) -> None:
    assert read_statement(write_statement(statement)) == statement
