"""Whoever knows a ref or a claim is told what happens to it, and nothing of who did it."""

from __future__ import annotations

import pytest
from tests.unit.notary.notaries import (
    HOUR_MS,
    NOW,
    STRANGER,
    A,
    B,
    C,
    Ledger,
    Notary,
    claim,
    claim_hash,
    create,
    exercise,
    lock_request,
    made,
)

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.limits import LIMITS
from interfirm.notary.state import SUBSCRIPTIONS
from interfirm.notary.types import Ask, Done, Finish, Import, Subscribe, Tell, Unsubscribe, claim_key, ref_key
from interfirm.notary.uniqueness.machine import consumer_hash

KEY = claim_key(A.id, claim_hash(A, "1"))


@pytest.fixture
def notary() -> Notary:
    return Notary().with_orgs()


@pytest.fixture
def ledger(notary: Notary) -> Ledger:
    return Ledger(notary.id)


def test_a_subscriber_of_a_ref_is_told_its_consumers_hash(notary: Notary, ledger: Ledger) -> None:
    ref = made(notary, ledger, A, B)
    notary.done(Subscribe(kind="ref", subject=ref_key(ref)), C.id)
    done = notary.done(ledger.request(exercise(0, ref, A, B)))
    assert notary.tells == [
        Tell(identity=C.id, kind="consumed", subject=ref_key(ref), detail=consumer_hash(done.id))
    ]  # fmt: skip
    assert not [key for key in notary.state if key[0] == SUBSCRIPTIONS], "its subscription is over"


def test_a_subscriber_that_comes_after_the_consumption_is_told_at_once(notary: Notary, ledger: Ledger) -> None:
    ref = made(notary, ledger, A)
    done = notary.done(ledger.request(exercise(0, ref, A)))
    notary.done(Subscribe(kind="ref", subject=ref_key(ref)), C.id)
    assert [tell.detail for tell in notary.tells] == [consumer_hash(done.id)]


def test_a_refused_consumption_is_not_told(notary: Notary, ledger: Ledger) -> None:
    ref = made(notary, ledger, A, B)
    notary.done(Subscribe(kind="ref", subject=ref_key(ref)), C.id)
    notary.refused(ledger.request(exercise(0, ref, A, B)).replace(signatures=()))
    assert notary.tells == []


def test_what_is_refused_at_the_very_end_tells_nobody(
    notary: Notary, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = made(notary, ledger, A)
    notary.done(Subscribe(kind="ref", subject=ref_key(ref)), C.id)

    def refuse(*_: object) -> None:
        raise Refusal("test.late", "after everything else")

    monkeypatch.setattr("interfirm.notary.claims.machine.apply", refuse)
    assert notary.refused(ledger.request(exercise(0, ref, A))).code == "test.late"
    assert notary.tells == []


def test_a_use_or_a_read_is_not_told(notary: Notary, ledger: Ledger) -> None:
    ref = made(notary, ledger, A)
    notary.done(Subscribe(kind="ref", subject=ref_key(ref)), C.id)
    notary.done(ledger.request(exercise(0, ref, A, consuming=False)))
    assert notary.tells == []


def test_one_may_subscribe_before_the_ref_exists(notary: Notary, ledger: Ledger) -> None:
    draft = ledger.draft(create(0, A))
    notary.done(Subscribe(kind="ref", subject=draft.id + bytes(4)), C.id)
    made_ = notary.done(ledger.signed(draft))
    from interfirm.contracts.types import ContractRef

    notary.done(ledger.request(exercise(0, ContractRef(made_.id, 0), A)))
    assert [tell.identity for tell in notary.tells] == [C.id]


def test_a_move_away_is_told_as_a_consumption_when_it_is_finished(notary: Notary, ledger: Ledger) -> None:
    ref = made(notary, ledger, A)
    there = Notary("there", words=notary.words)
    notary.done(Subscribe(kind="ref", subject=ref_key(ref)), C.id)
    request = lock_request(notary, ledger, ref, A, to=there.id, until=NOW.plus_ms(HOUR_MS))
    lock = notary.done(request)
    assert notary.tells == []
    from interfirm.ledger import tree

    imported = there.done(
        Import(
            origin=notary.id, ref=ref, until=request.until, nonce=request.nonce,
            commitment=tree.confirmers_commitment(request.opening.salt, request.opening.confirmers),
            receipt=notary.receipt(lock),
        )
    )  # fmt: skip
    notary.done(Finish(lock=lock.id, receipt=there.receipt(imported)))
    assert [(tell.identity, tell.detail) for tell in notary.tells] == [(C.id, consumer_hash(lock.id))]


def test_a_claims_subscriber_hears_that_its_proof_was_asked_for_also_when_the_asker_then_does_nothing(
    notary: Notary, ledger: Ledger
) -> None:
    notary.done(ledger.request(create(0, A, claims=[claim(A, "1")])))
    notary.done(Subscribe(kind="claim", subject=KEY), B.id)
    notary.ask(Ask(kind="claim", subject=KEY), C.id)
    assert notary.tells == [Tell(identity=B.id, kind="claim-asked", subject=KEY, detail=b"")]
    notary.ask(Ask(kind="claim", subject=KEY), C.id)
    assert len(notary.tells) == 1, "and hears it again"
    assert C.id not in notary.tells[0].detail, "but not by whom"


def test_a_question_for_a_free_claim_is_not_told(notary: Notary) -> None:
    notary.done(Subscribe(kind="claim", subject=KEY), B.id)
    notary.ask(Ask(kind="claim", subject=KEY), C.id)
    assert notary.tells == []


def test_the_asker_is_not_told_of_its_own_question(notary: Notary, ledger: Ledger) -> None:
    notary.done(ledger.request(create(0, A, claims=[claim(A, "1")])))
    notary.done(Subscribe(kind="claim", subject=KEY), B.id)
    notary.ask(Ask(kind="claim", subject=KEY), B.id)
    assert notary.tells == []


def test_everyone_who_subscribed_is_told_once(notary: Notary, ledger: Ledger) -> None:
    ref = made(notary, ledger, A)
    for org in (A, B, B, C):
        notary.done(Subscribe(kind="ref", subject=ref_key(ref)), org.id)
    notary.done(ledger.request(exercise(0, ref, A)))
    assert sorted(tell.identity for tell in notary.tells) == sorted([A.id, B.id, C.id])


@pytest.mark.parametrize("leaver", [0, 1, 2])
def test_who_unsubscribes_is_told_no_more_and_the_others_are(notary: Notary, ledger: Ledger, leaver: int) -> None:
    ref = made(notary, ledger, A)
    subject = ref_key(ref)
    orgs = [A, B, C]
    for org in orgs:
        notary.done(Subscribe(kind="ref", subject=subject), org.id)
    for _ in range(2):
        notary.done(Unsubscribe(kind="ref", subject=subject), orgs[leaver].id)
    notary.done(ledger.request(exercise(0, ref, A)))
    assert {tell.identity for tell in notary.tells} == {org.id for org in orgs} - {orgs[leaver].id}
    assert not [key for key in notary.state if key[0] == SUBSCRIPTIONS]


def test_a_stranger_does_not_subscribe(notary: Notary) -> None:
    assert notary.refused(Subscribe(kind="claim", subject=KEY), STRANGER).code == "registry.unknown"


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("ref", KEY),
        ("claim", KEY + bytes(4)),
        ("other", KEY),
        ("ref", b""),
        ("ref", KEY + b"aaaa"),
        ("claim" * 100, KEY),
    ],
)  # fmt: skip
def test_one_subscribes_to_refs_and_claims_only(notary: Notary, kind: str, subject: bytes) -> None:
    assert notary.refused(Subscribe(kind=kind, subject=subject)).code == "notary.subject"
    assert notary.refused(Unsubscribe(kind=kind, subject=subject)).code == "notary.subject"


def test_an_identity_has_a_limited_number_of_open_subscriptions(notary: Notary, ledger: Ledger) -> None:
    ref = made(notary, ledger, A)
    notary.done(Subscribe(kind="ref", subject=ref_key(ref)), C.id)
    notary.state[SUBSCRIPTIONS, C.id + b"o"] = LIMITS.subscriptions_count_max.to_bytes(4, "big")
    assert notary.refused(Subscribe(kind="claim", subject=digest("one more")), C.id).code == "notary.limit"
    notary.done(Subscribe(kind="ref", subject=ref_key(ref)), C.id)
    notary.done(Subscribe(kind="claim", subject=digest("one more")), B.id)
    notary.done(ledger.request(exercise(0, ref, A)))
    assert isinstance(notary.ask(Subscribe(kind="claim", subject=digest("one more")), C.id), Done)
