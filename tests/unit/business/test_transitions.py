"""Transition tables: in each status exactly the listed choices are possible, whoever signs."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.business.ledger import Ledger, party, refused
from tests.unit.business.scenario import (
    AGREED,
    CN_1,
    INV_1,
    NORDMARK,
    TERMS,
    B,
    K,
    L,
    Play,
    S,
    day,
    eur,
    invoice_of,
)

from interfirm.base.errors import Refusal
from interfirm.business.agreements.contract import Agreement, AgreementKind, AgreementStatus, Notice, Renewal
from interfirm.business.companies.contract import Company, CompanyStatus
from interfirm.business.factoring.facility import Facility, FacilityStatus
from interfirm.business.invoices.answers import Action, InvoiceStatus, Objection, Reason
from interfirm.business.invoices.contract import Credit, Dispute, DisputeStatus, Invoice
from interfirm.business.receivables.contract import Receivable
from interfirm.contracts.language import Hash, Ref

ON = day(10, 8)
TEXT = Hash(bytes(32))
REGISTRAR = party("registrar")
ALL = (S, B, K, L, REGISTRAR)

P, G, E, H = AgreementStatus.PROPOSED, AgreementStatus.SIGNED, AgreementStatus.IN_EFFECT, AgreementStatus.SUSPENDED
AGREEMENT: dict[str, tuple[dict[str, Any], set[AgreementStatus]]] = {
    "sign": ({"party": B}, {P}),
    "counter": ({"party": B, "document": TEXT, "terms": AGREED}, {P}),
    "reject": ({"party": B}, {P}),
    "activate": ({"party": B}, {G}),
    "amend": ({"document": TEXT, "terms": AGREED, "end": None}, {G, E}),
    "renew": ({"end": day(8, 9, 2029)}, {E}),
    "prolong": ({"party": B}, {E}),
    "suspend": ({"party": B}, {E}),
    "resume": ({}, {H}),
    "terminate": ({}, {G, E, H}),
    "terminate_on_notice": ({"party": B}, {G, E, H}),
    "expire": ({"party": B}, {G, E, H}),
    "supersede": ({"by_number": "MSA-9"}, {E, H}),
}


def agreement(status: AgreementStatus, **changes: Any) -> Agreement:
    """An agreement of S and B in a status, old enough for every choice that waits."""
    return Agreement(
        number="MSA-1", kind=AgreementKind.MASTER, parties=(S, B), signed=(S,) if status == P else (S, B),
        document=TEXT, terms=AGREED, start=day(1, 1), end=day(10, 7), status=status, suspended_by=B,
        renewal_days=365, version=2,
    ).replace(**changes)  # fmt: skip


def done(ledger: Ledger, ref: Ref[Any], choice: Any, arguments: dict[str, Any]) -> str:
    """The message that a choice is refused with; nothing where it is done."""
    try:
        ledger.exercise(ref, choice, signed=ALL, on=ON, **arguments)
    except Refusal as refusal:
        return refusal.message
    return ""


def agreement_choice(name: str, status: AgreementStatus, **changes: Any) -> str:
    ledger = Ledger()
    arguments = AGREEMENT[name][0] | changes
    renewal = Renewal.AUTOMATIC if name == "prolong" else Renewal.BY_ALL
    ref = ledger.create(agreement(status, renewal=renewal), signed=ALL, on=ON)
    if name == "terminate_on_notice":
        notice = Notice(giver=B, others=(S,), agreement="MSA-1", given=day(1, 2))
        arguments["notice"] = ledger.create(notice, signed=[B], on=ON)
    return done(ledger, ref, getattr(Agreement, name), arguments)


@pytest.mark.parametrize("status", AgreementStatus)
@pytest.mark.parametrize("name", AGREEMENT)
def test_an_agreement_changes_as_its_table_says(name: str, status: AgreementStatus) -> None:
    allowed = status in AGREEMENT[name][1]
    assert agreement_choice(name, status) == ("" if allowed else "the agreement's status does not allow this")


@pytest.mark.parametrize("name", [name for name in AGREEMENT if "party" in AGREEMENT[name][0]])
def test_an_outsider_changes_no_agreement(name: str) -> None:
    status = next(iter(AGREEMENT[name][1]))
    assert agreement_choice(name, status, party=K) == "this is no party to the agreement"


def test_every_choice_of_an_agreement_is_in_the_table() -> None:
    assert set(AGREEMENT) == set(Agreement.choices)


@pytest.mark.parametrize(
    ("changes", "name", "arguments", "reason"),
    [
        ({"renewal": Renewal.BY_ALL}, "prolong", {"party": B}, "the agreement is not prolonged this way"),
        ({"renewal": Renewal.AUTOMATIC, "renewal_days": 0}, "prolong", {"party": B},
         "the agreement says for how many days it is prolonged"),
        ({"end": None}, "expire", {"party": B}, "the agreement has no last day"),
        ({"end": None, "renewal": Renewal.BY_ALL}, "renew", {"end": day(1, 1, 2030)}, "the agreement has no last day"),
        ({}, "supersede", {"by_number": "MSA-1"}, "an agreement does not supersede itself"),
    ],
    ids=["not automatic", "no days", "endless", "endless renewal", "itself"],
)  # fmt: skip
def test_an_agreement_changes_only_where_it_makes_sense(
    changes: dict[str, Any], name: str, arguments: dict[str, Any], reason: str
) -> None:
    ledger = Ledger()
    ref = ledger.create(agreement(E, **changes), signed=ALL, on=ON)
    assert done(ledger, ref, getattr(Agreement, name), arguments) == reason


def test_somebody_has_signed_and_somebody_is_told() -> None:
    with refused("someone has signed"):
        Ledger().create(agreement(P, signed=()), signed=ALL, on=ON)
    with refused("a notice is given to someone"):
        Ledger().create(Notice(giver=B, others=(), agreement="MSA-1", given=ON), signed=[B], on=ON)


def test_a_notice_is_taken_back_on_the_day_it_says() -> None:
    ledger = Ledger()
    ref = ledger.create(Notice(giver=B, others=(S,), agreement="MSA-1", given=ON), signed=[B], on=ON)
    for wrong in (ON.plus(1), ON.plus(-1)):
        with refused("contract.not-before" if wrong > ON else "contract.before"):
            ledger.exercise(ref, Notice.take_back, signed=[B], on=ON, on_=wrong)


COMPANY = {
    "verify": ({}, {CompanyStatus.APPLIED}),
    "activate": ({}, {CompanyStatus.VERIFIED, CompanyStatus.SUSPENDED}),
    "suspend": ({}, {CompanyStatus.ACTIVE}),
    "leave": ({}, {CompanyStatus.VERIFIED, CompanyStatus.ACTIVE, CompanyStatus.SUSPENDED}),
    "correct": ({"facts": NORDMARK}, {CompanyStatus.ACTIVE}),
}  # type: dict[str, tuple[dict[str, Any], set[CompanyStatus]]]


@pytest.mark.parametrize("status", CompanyStatus)
@pytest.mark.parametrize("name", COMPANY)
def test_a_company_changes_as_its_table_says(name: str, status: CompanyStatus) -> None:
    ledger = Ledger()
    arguments, statuses = COMPANY[name]
    ref = ledger.create(Company(firm=S, registrar=REGISTRAR, facts=NORDMARK, status=status), signed=ALL, on=ON)
    reason = done(ledger, ref, getattr(Company, name), arguments)
    assert reason == ("" if status in statuses else "the company's status does not allow this")


IN_EFFECT = {FacilityStatus.IN_EFFECT}
BOTH = {FacilityStatus.IN_EFFECT, FacilityStatus.SUSPENDED}
FACILITY: dict[str, tuple[dict[str, Any], set[FacilityStatus]]] = {
    "accept": ({}, {FacilityStatus.PROPOSED}),
    "reject": ({}, {FacilityStatus.PROPOSED}),
    "withdraw": ({}, {FacilityStatus.PROPOSED}),
    "amend": ({"terms": TERMS, "document": TEXT, "end": day(1, 1, 2028)}, BOTH),
    "suspend": ({}, IN_EFFECT),
    "resume": ({}, {FacilityStatus.SUSPENDED}),
    "terminate": ({}, BOTH),
    "terminate_on_notice": ({"party": S}, BOTH),
}


def facility(status: FacilityStatus, **changes: Any) -> Facility:
    return Facility(
        number="F-1", seller=S, lender=L, terms=TERMS, document=TEXT, start=day(1, 1), end=day(12, 31),
        status=status,
    ).replace(**changes)  # fmt: skip


@pytest.mark.parametrize("status", FacilityStatus)
@pytest.mark.parametrize("name", FACILITY)
def test_a_facility_changes_as_its_table_says(name: str, status: FacilityStatus) -> None:
    ledger = Ledger()
    ref = ledger.create(facility(status), signed=ALL, on=ON)
    arguments = dict(FACILITY[name][0])
    if name == "terminate_on_notice":
        notice = Notice(giver=L, others=(S,), agreement="F-1", given=day(1, 2))
        arguments["notice"] = ledger.create(notice, signed=[L], on=ON)
    reason = done(ledger, ref, getattr(Facility, name), arguments)
    assert reason == ("" if status in FACILITY[name][1] else "the facility's status does not allow this")


def test_every_choice_of_a_facility_is_in_the_table() -> None:
    assert set(FACILITY) == set(Facility.choices)


@pytest.mark.parametrize(
    ("changes", "party", "reason"),
    [
        ({}, K, "this is no party to the facility"),
        ({"agreement": "F-9"}, S, "the notice is of another agreement"),
        ({"giver": K}, S, "the notice is of an outsider"),
    ],
    ids=["outsider", "number", "giver"],
)
def test_a_facility_is_ended_by_its_own_notice(changes: dict[str, Any], party: Any, reason: str) -> None:
    ledger = Ledger()
    ref = ledger.create(facility(FacilityStatus.IN_EFFECT), signed=ALL, on=ON)
    notice = Notice(giver=L, others=(S,), agreement="F-1", given=day(1, 2)).replace(**changes)
    given = ledger.create(notice, signed=ALL, on=ON)
    assert done(ledger, ref, Facility.terminate_on_notice, {"party": party, "notice": given}) == reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"lender": S}, "seller and lender differ"),
        ({"end": day(1, 1, 2025)}, "a facility starts before it ends"),
        ({"notice_days": -1}, "days are counted forward"),
    ],
    ids=["parties", "end", "notice"],
)
def test_a_malformed_facility_is_refused(changes: dict[str, Any], reason: str) -> None:
    with refused(reason):
        Ledger().create(facility(FacilityStatus.PROPOSED, **changes), signed=ALL, on=ON)


@pytest.mark.parametrize(
    ("on", "reason"),
    [(day(1, 1), ""), (day(12, 31), ""), (day(12, 31, 2025), "the facility has not started"),
     (day(1, 1, 2027), "the facility has ended")],
)  # fmt: skip
def test_a_facility_is_active_from_its_first_to_its_last_day(on: Any, reason: str) -> None:
    active = facility(FacilityStatus.IN_EFFECT)
    if reason:
        with refused(reason):
            active.require_active(on)
    else:
        active.require_active(on)


WAY = {InvoiceStatus.ISSUED, InvoiceStatus.RECEIVED, InvoiceStatus.IN_PROCESS}
OBJECTED = {InvoiceStatus.QUERIED, InvoiceStatus.COND_ACCEPTED}
UNDECIDED = WAY | OBJECTED
ACCEPTED = {InvoiceStatus.ACCEPTED}
INVOICE: dict[str, tuple[dict[str, Any], set[InvoiceStatus]]] = {
    "respond": ({"status": InvoiceStatus.IN_PROCESS}, WAY - {InvoiceStatus.IN_PROCESS}),
    "query": ({"reason": Reason.PRICE, "action": Action.NONE, "note": None}, WAY),
    "accept_conditionally": (
        {"acceptable": eur("1.00"), "reason": Reason.PRICE, "action": Action.NONE}, UNDECIDED,
    ),
    "reject": ({"reason": Reason.PRICE}, UNDECIDED),
    "accept": ({"set_off_waived": False}, UNDECIDED),
    "answer": ({"note": None}, OBJECTED),
    "escalate": ({}, WAY),
    "credit": ({"note": CN_1, "exact": True, "receivable": None, "holder": None}, UNDECIDED | ACCEPTED),
    "dispute": (
        {"number": "C", "amount": eur("1.00"), "reason": Reason.PRICE, "lines": (), "on_": ON}, ACCEPTED,
    ),
    "write_off": ({"holder": S, "reason": "insolvency"}, ACCEPTED),
}  # fmt: skip


@pytest.mark.parametrize("status", InvoiceStatus)
@pytest.mark.parametrize("name", INVOICE)
def test_an_invoice_changes_as_its_table_says(name: str, status: InvoiceStatus) -> None:
    play = Play()
    right = play.accept(play.issue()).receivable
    arguments = dict(INVOICE[name][0])
    if name in ("dispute", "write_off") or (name == "credit" and status == InvoiceStatus.ACCEPTED):
        arguments["receivable"] = right
    objection = Objection(reason=Reason.PRICE, dealt_with=True) if status in OBJECTED else None
    invoice = invoice_of(INV_1, status=status, version=2, objection=objection, silence_days=0)
    ref = play.ledger.create(invoice, signed=ALL, on=ON)
    reason = done(play.ledger, ref, getattr(Invoice, name), arguments)
    assert (reason == "") == (status in INVOICE[name][1]), reason


def test_every_choice_of_an_invoice_is_in_the_table() -> None:
    assert set(INVOICE) == set(Invoice.choices)


RUNNING = {DisputeStatus.RAISED, DisputeStatus.ANSWERED}
DISPUTE: dict[str, tuple[dict[str, Any], set[DisputeStatus]]] = {
    "answer": ({"position": TEXT}, {DisputeStatus.RAISED}),
    "appoint": ({"arbiter": K}, RUNNING),
    "arbitrate": ({"award": eur("1.00")}, RUNNING),
    "agree": ({"note": CN_1, "exact": True, "holder": S}, RUNNING | {DisputeStatus.ARBITRATED}),
    "uphold": ({"party": B}, RUNNING),
}


def dispute_in(play: Play, status: DisputeStatus, award: str) -> tuple[Any, Any, Any]:
    accepted = play.accept(play.issue())
    amount = eur("983.13")
    case = play.ledger.exercise(
        accepted.invoice, Invoice.dispute, signed=ALL, on=ON, receivable=accepted.receivable, number="C",
        amount=amount, reason=Reason.PRICE, lines=(), on_=ON,
    )  # fmt: skip
    settled = play.ledger.get(Dispute, case).replace(status=status, arbiter=K, award=eur(award))
    return play.ledger.create(settled, signed=ALL, on=ON), accepted.invoice, play.ledger.refs(Receivable)[0]


@pytest.mark.parametrize("status", DisputeStatus)
@pytest.mark.parametrize("name", DISPUTE)
def test_a_dispute_changes_as_its_table_says(name: str, status: DisputeStatus) -> None:
    play = Play()
    case, invoice, right = dispute_in(play, status, "983.13")
    arguments = dict(DISPUTE[name][0])
    if name == "agree":
        arguments |= {"invoice": invoice, "receivable": right}
    if name == "uphold":
        arguments["receivable"] = right
    reason = done(play.ledger, case, getattr(Dispute, name), arguments)
    assert (reason == "") == (status in DISPUTE[name][1]), reason


def test_every_choice_of_a_dispute_is_in_the_table() -> None:
    assert set(DISPUTE) == set(Dispute.choices)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"amount": eur("0.00")}, "a dispute is over more than nothing"),
        ({"buyer": S}, "a dispute has two sides"),
        ({"arbiter": S}, "an arbiter is neither side"),
        ({"award": eur("-1.00")}, "an award is not negative"),
    ],
    ids=["nothing", "one side", "arbiter", "award"],
)
def test_a_malformed_dispute_is_refused(changes: dict[str, Any], reason: str) -> None:
    play = Play()
    case, _, _ = dispute_in(play, DisputeStatus.RAISED, "1.00")
    with refused(reason):
        play.ledger.create(play.ledger.get(Dispute, case).replace(**changes), signed=ALL, on=ON)


def test_an_invoice_credited_in_full_before_is_credited_no_further() -> None:
    play = Play()
    credits = (Credit(number="CN-0", amount=INV_1.totals.gross),)
    invoice = invoice_of(INV_1, version=2, status=InvoiceStatus.RECEIVED, credits=credits, payable=eur("0.00"))
    ref = play.ledger.create(invoice, signed=ALL, on=ON)
    reason = done(play.ledger, ref, Invoice.credit, INVOICE["credit"][0])
    assert reason == "no more is credited than is payable"
