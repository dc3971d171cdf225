"""Agreements: bound is who signed, terms hold while in effect, an end needs its reason."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.business.ledger import refused
from tests.unit.business.scenario import AGREED, B, K, Play, S, day

from interfirm.business.agreements.contract import (
    Agreement,
    AgreementKind,
    AgreementStatus,
    Notice,
    Renewal,
)
from interfirm.contracts.language import Hash, Ref

ON = day(9, 1)


@pytest.fixture
def play() -> Play:
    return Play()


def proposal(play: Play, **changes: Any) -> Ref[Agreement]:
    agreement = Agreement(
        number="MSA-2", kind=AgreementKind.MASTER, parties=(S, B), signed=(S,), document=Hash(bytes(32)),
        terms=AGREED, start=day(8, 10), end=day(8, 9, 2027),
    ).replace(**changes)  # fmt: skip
    return play.ledger.create(agreement, signed=[S], on=ON)  # type: ignore[no-any-return]


def status(play: Play, ref: Ref[Agreement]) -> AgreementStatus:
    return play.ledger.get(Agreement, ref).status


def test_an_agreement_is_signed_when_all_have(play: Play) -> None:
    ref = proposal(play)
    assert status(play, ref) == AgreementStatus.PROPOSED
    ref = play.ledger.exercise(ref, Agreement.sign, signed=[S, B], on=ON, party=B)
    assert status(play, ref) == AgreementStatus.SIGNED


def test_nobody_signs_for_another_and_no_outsider_signs(play: Play) -> None:
    ref = proposal(play)
    with refused("ledger.authority"):
        play.ledger.exercise(ref, Agreement.sign, signed=[S], on=ON, party=B)
    with refused("this is no party to the agreement"):
        play.ledger.exercise(ref, Agreement.sign, signed=[S, K], on=ON, party=K)
    with refused("each party signs once"):
        play.ledger.exercise(ref, Agreement.sign, signed=[S], on=ON, party=S)


def test_an_agreement_cannot_be_made_in_effect_without_all_signatures(play: Play) -> None:
    with refused("all parties have signed"):
        proposal(play, status=AgreementStatus.IN_EFFECT)


def test_a_counter_proposal_unbinds_the_first_proposer(play: Play) -> None:
    ref = play.ledger.exercise(
        proposal(play), Agreement.counter, signed=[S, B], on=ON, party=B, document=Hash(b"\1" * 32), terms=AGREED
    )
    countered = play.ledger.get(Agreement, ref)
    assert countered.signed == (B,)
    assert countered.version == 2


def test_a_proposal_is_rejected_or_withdrawn(play: Play) -> None:
    ref = play.ledger.exercise(proposal(play), Agreement.reject, signed=[S, B], on=ON, party=B)
    assert status(play, ref) == AgreementStatus.REJECTED
    ref = play.ledger.exercise(proposal(play, number="MSA-3"), Agreement.reject, signed=[S], on=ON, party=S)
    assert status(play, ref) == AgreementStatus.WITHDRAWN
    with refused("the agreement's status does not allow this"):
        play.ledger.exercise(ref, Agreement.sign, signed=[S, B], on=ON, party=B)


def test_a_proposers_number_is_taken_once(play: Play) -> None:
    proposal(play)
    with refused("notary.claim-taken"):
        proposal(play)


def test_it_is_in_effect_from_its_first_day(play: Play) -> None:
    ref = play.ledger.exercise(proposal(play, start=day(9, 2)), Agreement.sign, signed=[S, B], on=ON, party=B)
    with refused("contract.not-before"):
        play.ledger.exercise(ref, Agreement.activate, signed=[S, B], on=ON, party=S)
    ref = play.ledger.exercise(ref, Agreement.activate, signed=[S, B], on=day(9, 2), party=B)
    assert status(play, ref) == AgreementStatus.IN_EFFECT


@pytest.mark.parametrize(
    ("on", "reason"),
    [(day(8, 9), "the agreement has not started"), (day(8, 10, 2027), "the agreement has ended")],
)
def test_it_is_not_relied_on_outside_its_time(play: Play, on: object, reason: str) -> None:
    agreement = play.ledger.get(Agreement, play.agreement())
    agreement.require_in_effect(day(8, 10))
    agreement.require_in_effect(day(8, 9, 2027))
    with refused(reason):
        agreement.require_in_effect(on)  # type: ignore[arg-type]  # a day


def test_an_amendment_needs_all_and_raises_the_version(play: Play) -> None:
    ref = play.agreement()
    changes = {"document": Hash(b"\2" * 32), "terms": AGREED.replace(payment_days=60), "end": None}
    with refused("ledger.authority"):
        play.ledger.exercise(ref, Agreement.amend, signed=[S], on=ON, **changes)
    amended = play.ledger.get(Agreement, play.ledger.exercise(ref, Agreement.amend, signed=[S, B], on=ON, **changes))
    assert (amended.number, amended.version, amended.terms.payment_days) == ("MSA-1", 2, 60)


def test_who_suspended_it_resumes_it(play: Play) -> None:
    ref = play.ledger.exercise(play.agreement(), Agreement.suspend, signed=[S, B], on=ON, party=B)
    with refused("the agreement's status does not allow this"):
        play.ledger.get(Agreement, ref).require_in_effect(ON)
    with refused("ledger.authority"):
        play.ledger.exercise(ref, Agreement.resume, signed=[S], on=ON)
    ref = play.ledger.exercise(ref, Agreement.resume, signed=[S, B], on=ON)
    assert status(play, ref) == AgreementStatus.IN_EFFECT


def notice(play: Play, giver: Any = B, **changes: Any) -> Ref[Notice]:
    others = tuple(one for one in (S, B) if one != giver)
    given = Notice(giver=giver, others=others, agreement="MSA-1", given=ON).replace(**changes)
    return play.ledger.create(given, signed=[giver], on=ON)  # type: ignore[no-any-return]


def test_a_notice_binds_its_giver_alone_and_ends_the_agreement_after_the_notice_days(play: Play) -> None:
    ref, given = play.agreement(), notice(play)
    with refused("contract.not-before"):
        play.ledger.exercise(ref, Agreement.terminate_on_notice, signed=[S, B], on=day(9, 30), party=B, notice=given)
    ref = play.ledger.exercise(ref, Agreement.terminate_on_notice, signed=[S, B], on=day(10, 1), party=B, notice=given)
    assert status(play, ref) == AgreementStatus.TERMINATED


def test_a_notice_of_another_agreement_or_of_an_outsider_ends_nothing(play: Play) -> None:
    ref = play.agreement()
    for given, reason in (
        (notice(play, agreement="MSA-9"), "the notice is of another agreement"),
        (notice(play, K), "the notice is of an outsider"),
    ):
        with refused(reason):
            play.ledger.exercise(
                ref, Agreement.terminate_on_notice, signed=[S, B], on=day(12, 1), party=B, notice=given
            )


def test_a_breach_is_named_and_may_be_taken_back(play: Play) -> None:
    with refused("a claim of breach names it"):
        notice(play, breach=True)
    claim = notice(play, breach=True, reason="unpaid")
    play.ledger.exercise(claim, Notice.take_back, signed=[B], on=ON, on_=ON)
    assert play.ledger.active(Notice) == []


def test_it_expires_after_its_last_day(play: Play) -> None:
    ref = play.agreement()
    with refused("contract.not-before"):
        play.ledger.exercise(ref, Agreement.expire, signed=[S, B], on=day(8, 9, 2027), party=S)
    ref = play.ledger.exercise(ref, Agreement.expire, signed=[S, B], on=day(8, 10, 2027), party=S)
    assert status(play, ref) == AgreementStatus.EXPIRED


def in_effect(play: Play, **changes: Any) -> Ref[Agreement]:
    ref = play.ledger.exercise(proposal(play, **changes), Agreement.sign, signed=[S, B], on=ON, party=B)
    return play.ledger.exercise(ref, Agreement.activate, signed=[S, B], on=ON, party=S)


def test_it_is_prolonged_as_agreed(play: Play) -> None:
    ref = in_effect(play, renewal=Renewal.AUTOMATIC, renewal_days=365)
    with refused("contract.not-before"):
        play.ledger.exercise(ref, Agreement.prolong, signed=[S, B], on=day(8, 8, 2027), party=B)
    ref = play.ledger.exercise(ref, Agreement.prolong, signed=[S, B], on=day(8, 9, 2027), party=B)
    assert play.ledger.get(Agreement, ref).end == day(8, 8, 2028)
    with refused("the agreement is not prolonged this way"):
        play.ledger.exercise(ref, Agreement.renew, signed=[S, B], on=day(8, 9, 2027), end=day(8, 8, 2029))


def test_all_together_renew_terminate_or_supersede_it(play: Play) -> None:
    ref = in_effect(play, renewal=Renewal.BY_ALL)
    with refused("a renewal prolongs"):
        play.ledger.exercise(ref, Agreement.renew, signed=[S, B], on=ON, end=day(8, 9, 2027))
    ref = play.ledger.exercise(ref, Agreement.renew, signed=[S, B], on=ON, end=day(8, 9, 2028))
    with refused("ledger.authority"):
        play.ledger.exercise(ref, Agreement.terminate, signed=[S], on=ON)
    superseded = play.ledger.exercise(ref, Agreement.supersede, signed=[S, B], on=ON, by_number="MSA-4")
    assert play.ledger.get(Agreement, superseded).superseded_by == "MSA-4"
    other = play.ledger.exercise(play.agreement(), Agreement.terminate, signed=[S, B], on=ON)
    assert status(play, other) == AgreementStatus.TERMINATED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"parties": (S,)}, "an agreement is between two or more"),
        ({"parties": (S, S)}, "each party is named once"),
        ({"signed": (S, K)}, "only parties sign"),
        ({"end": day(8, 9)}, "the agreement starts before it ends"),
        ({"notice_days": -1}, "days are counted forward"),
    ],
    ids=["one party", "twice", "outsider", "end", "days"],
)
def test_a_malformed_agreement_is_refused(play: Play, changes: dict[str, Any], reason: str) -> None:
    with refused(reason):
        proposal(play, **changes)
