"""Acceptance is for ever and the same each time; a refusal binds nothing; time never goes back."""

from __future__ import annotations

import pytest
from tests.unit.notary.notaries import HOUR_MS, NOW, A, B, C, Ledger, Notary, create, exercise, made, window

from interfirm.base.hashing import digest
from interfirm.ledger.signing import WITHDRAWAL
from interfirm.notary.types import Asked, Block, Done, Notarise, Refused, Withdraw


@pytest.fixture
def notary() -> Notary:
    return Notary().with_orgs()


@pytest.fixture
def ledger(notary: Notary) -> Ledger:
    return Ledger(notary.id)


@pytest.fixture
def request_(notary: Notary, ledger: Ledger) -> Notarise:
    return ledger.request(exercise(0, made(notary, ledger, A, B), A, B))


def withdrawal(request: Notarise, transaction: bytes) -> Withdraw:
    return Withdraw(transaction=transaction, signature=A.sign(transaction, WITHDRAWAL))


def test_the_same_request_again_gets_the_same_answer_whatever_the_time(notary: Notary, request_: Notarise) -> None:
    first = notary.done(request_)
    notary.now = NOW.plus_ms(48 * HOUR_MS)
    assert notary.done(request_) == first
    assert notary.judge(request_).accepted == ()


def test_the_same_request_twice_in_one_block_is_accepted_once(notary: Notary, request_: Notarise) -> None:
    judged = notary.judge(request_, request_)
    assert judged.answers[0] == judged.answers[1]
    assert len(judged.accepted) == 1


def test_an_incomplete_submission_first_does_not_poison_the_id(notary: Notary, request_: Notarise) -> None:
    for poison in (
        request_.replace(signatures=request_.signatures[:1]),
        request_.replace(signatures=()),
        request_.replace(confirmers=()),
        request_.replace(signatures=(A.sign(digest("other")), B.sign(digest("other")))),
    ):
        notary.refused(poison, C.id)
    assert isinstance(notary.ask(request_), Done)


def test_a_refusal_in_a_block_leaves_nothing_to_the_next_request_of_it(notary: Notary, request_: Notarise) -> None:
    no, yes = notary.block(request_.replace(signatures=request_.signatures[:1]), request_)
    assert isinstance(no, Refused)
    assert isinstance(yes, Done)


def test_a_withdrawn_signature_no_longer_counts(notary: Notary, ledger: Ledger) -> None:
    draft = ledger.draft(create(0, A, B))
    request = ledger.signed(draft)
    notary.done(withdrawal(request, draft.id))
    assert notary.refused(request).code == "notary.withdrawn"


def test_a_withdrawal_after_acceptance_comes_too_late(notary: Notary, ledger: Ledger) -> None:
    draft = ledger.draft(create(0, A, B))
    request = ledger.signed(draft)
    yes, no = notary.block(request, withdrawal(request, draft.id))
    assert isinstance(yes, Done)
    assert isinstance(no, Refused)
    assert no.code == "notary.accepted"


def test_in_one_block_the_order_of_withdrawal_and_request_decides(notary: Notary, ledger: Ledger) -> None:
    draft = ledger.draft(create(0, A, B))
    request = ledger.signed(draft)
    yes, no = notary.block(withdrawal(request, draft.id), request)
    assert isinstance(yes, Done)
    assert isinstance(no, Refused)
    assert no.code == "notary.withdrawn"


def test_a_withdrawal_again_gets_the_same_answer(notary: Notary, ledger: Ledger) -> None:
    draft = ledger.draft(create(0, A, B))
    first = notary.done(withdrawal(ledger.signed(draft), draft.id))
    assert notary.done(withdrawal(ledger.signed(draft), draft.id)) == first


def test_nobody_withdraws_anothers_signature(notary: Notary, ledger: Ledger) -> None:
    draft = ledger.draft(create(0, A, B))
    forged = Withdraw(transaction=draft.id, signature=C.sign(draft.id, WITHDRAWAL).replace(identity=A.id))
    assert notary.refused(forged).code == "notary.key"
    party = Withdraw(transaction=draft.id, signature=A.sign(draft.id))
    assert notary.refused(party).code == "signature.purpose"
    notary.done(ledger.signed(draft))


def test_a_withdrawal_concerns_one_transaction_only(notary: Notary, ledger: Ledger) -> None:
    one, other = ledger.draft(create(0, A, B)), ledger.draft(create(0, A, B))
    notary.done(withdrawal(ledger.signed(one), one.id))
    notary.done(ledger.signed(other))


def test_the_notarys_time_never_goes_back(notary: Notary, ledger: Ledger) -> None:
    notary.now = NOW.plus_ms(HOUR_MS)
    notary.done(ledger.request(create(0, A), at=window(None, NOW.plus_ms(2 * HOUR_MS))))
    notary.now = NOW
    late = ledger.request(create(0, A), at=window(None, NOW.plus_ms(HOUR_MS)))
    refused = notary.refused(late)
    assert refused.code == "notary.too-late"
    assert notary.says("unspent", digest("x") + bytes(4)).time == NOW.plus_ms(HOUR_MS)


def test_heights_are_consecutive(notary: Notary) -> None:
    notary.height += 1
    with pytest.raises(AssertionError):
        notary.judge()


def test_an_empty_block_moves_time_and_height_alone(notary: Notary) -> None:
    notary.now = NOW.plus_ms(5)
    judged = notary.judge()
    assert {space for space, _ in judged.changes} == {"meta"}


def test_the_verdicts_do_not_depend_on_who_asks(notary: Notary, request_: Notarise) -> None:
    one = notary.judge(request_, requester=A.id)
    other = notary.judge(request_, requester=digest("anyone"))
    assert one == other


def test_judging_twice_gives_the_same_answers_and_changes(notary: Notary, request_: Notarise) -> None:
    bad = request_.replace(signatures=())
    assert notary.judge(bad, request_, request_) == notary.judge(bad, request_, request_)


def test_a_block_is_a_value(notary: Notary, request_: Notarise) -> None:
    block = Block(height=1, time=NOW, requests=(Asked(requester=A.id, request=request_),))
    assert block == block.replace()
