"""A notary's dated word: what it says of each subject, and that nobody else can say it."""

from __future__ import annotations

import pytest
from tests.unit.notary.notaries import HOUR_MS, NOW, A, Ledger, Notary, create, exercise, lock_request, made

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.signatures import Ed25519Signer
from interfirm.notary.questions import Statement, check_statement, state_it
from interfirm.notary.registry.machine import Record
from interfirm.notary.types import Ask, ref_key
from interfirm.notary.uniqueness.machine import consumer_hash


@pytest.fixture
def notary() -> Notary:
    return Notary().with_orgs()


@pytest.fixture
def ledger(notary: Notary) -> Ledger:
    return Ledger(notary.id)


def test_a_ref_is_unspent_consumed_or_unknown(notary: Notary, ledger: Ledger) -> None:
    ref = made(notary, ledger, A)
    key = ref_key(ref)
    assert notary.says("unspent", key).answer is True
    assert notary.says("consumer", key).answer is None
    done = notary.done(ledger.request(exercise(0, ref, A)))
    assert notary.says("unspent", key).answer is False
    assert notary.says("consumer", key).answer == consumer_hash(done.id)
    assert notary.says("unspent", digest("none") + bytes(4)).answer is None


def test_a_locked_ref_is_not_unspent_and_has_no_consumer(notary: Notary, ledger: Ledger) -> None:
    ref = made(notary, ledger, A)
    there = Notary("there", words=notary.words)
    notary.done(lock_request(notary, ledger, ref, A, to=there.id, until=NOW.plus_ms(HOUR_MS)))
    assert notary.says("unspent", ref_key(ref)).answer is False
    assert notary.says("consumer", ref_key(ref)).answer is None


def test_of_a_locked_ref_it_is_told_for_whom_and_until_when(notary: Notary, ledger: Ledger) -> None:
    ref = made(notary, ledger, A)
    assert notary.says("lock", ref_key(ref)).answer is None
    there = Notary("there", words=notary.words)
    request = lock_request(notary, ledger, ref, A, to=there.id, until=NOW.plus_ms(HOUR_MS))
    lock = notary.done(request)
    assert notary.says("lock", ref_key(ref)).answer == [lock.id, there.id, NOW.ms + HOUR_MS]
    assert notary.says("lock", digest("none") + bytes(4)).answer is None


def test_a_word_carries_height_and_time(notary: Notary) -> None:
    notary.now = NOW.plus_ms(7)
    said = notary.says("accepted", digest("none"))
    assert (said.answer, said.height, said.time) == (None, notary.height, NOW.plus_ms(7))


def test_an_acceptance_is_told_by_height_and_time(notary: Notary, ledger: Ledger) -> None:
    done = notary.done(ledger.request(create(0, A)))
    assert notary.says("accepted", done.id).answer == [done.height, done.time.ms]


def test_an_identitys_record_is_told(notary: Notary) -> None:
    record = codec.from_plain(notary.says("key", A.id).answer, Record)
    assert (record.key, record.home, record.as_of) == (A.signer.public, notary.id, None)
    assert notary.says("key", digest("none")).answer is None


def test_another_question_is_refused(notary: Notary) -> None:
    assert notary.refused(Ask(kind="balance", subject=b"")).code == "notary.question"


def test_a_statement_proves_what_was_said(notary: Notary) -> None:
    said = notary.says("key", A.id)
    assert check_statement(state_it(notary.signer, notary.id, said), notary.id, notary.signer.public) == said


def test_a_statement_under_another_key_or_changed_is_refused(notary: Notary) -> None:
    said = notary.says("key", A.id)
    forged = state_it(Ed25519Signer(digest("forger")), notary.id, said)
    good = codec.decode(state_it(notary.signer, notary.id, said), Statement)
    changed = codec.encode(good.replace(said=said.replace(answer=None)))
    for data, code in ((forged, "signature.invalid"), (changed, "signature.invalid"), (b"\x00", "codec.shape")):
        with pytest.raises(Refusal) as refusal:
            check_statement(data, notary.id, notary.signer.public)
        assert refusal.value.code == code


def test_a_statement_of_another_notary_is_refused(notary: Notary) -> None:
    data = state_it(notary.signer, digest("other"), notary.says("key", A.id))
    with pytest.raises(Refusal) as refusal:
        check_statement(data, notary.id, notary.signer.public)
    assert refusal.value.code == "notary.other-notary"
