"""A contract is usable at one notary at most, whatever is late, early, lost, replayed or meant for somebody else."""

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
    Words,
    confirmers,
    create,
    exercise,
    lock_request,
    made,
    window,
)

from interfirm.base.hashing import digest
from interfirm.base.time import Instant
from interfirm.contracts.types import ContractRef
from interfirm.ledger import tree
from interfirm.notary.moves.machine import LOCK, id_of
from interfirm.notary.types import Done, Finish, Import, Lock, Unlock, ref_key

UNTIL = NOW.plus_ms(HOUR_MS)


class Move:
    """Two notaries, and a contract of A and B at the first that is about to move to the second."""

    def __init__(self) -> None:
        words = Words()
        self.here = Notary("here", words=words).with_orgs()
        self.there = Notary("there", words=words).with_orgs()
        self.ledger = Ledger(self.here.id)
        self.ref = made(self.here, self.ledger, A, B)
        self.request = self.lock_request()
        self.name = id_of(self.request, self.here.id)

    def lock_request(self, to: bytes | None = None, nonce: str = "1", until: Instant = UNTIL) -> Lock:
        return lock_request(self.here, self.ledger, self.ref, A, B, to=to or self.there.id, until=until, nonce=nonce)

    def lock(self) -> Done:
        return self.here.done(self.request)

    def bring_in(self, receipt: bytes | None = None) -> Import:
        return Import(
            origin=self.here.id, ref=self.ref, until=UNTIL, nonce=self.request.nonce,
            commitment=tree.confirmers_commitment(self.request.opening.salt, self.request.opening.confirmers),
            receipt=self.here.id + b":" + self.name if receipt is None else receipt,
        )  # fmt: skip

    def finish(self, done: Done) -> Finish:
        return Finish(lock=self.name, receipt=self.there.receipt(done))

    def unlock(self) -> Unlock:
        return Unlock(lock=self.name, statement=self.there.statement("imported", self.name))

    @property
    def usable(self) -> list[bool]:
        """Whether the contract can be consumed here, and there."""
        key = ref_key(ContractRef(self.name, 0))
        return [
            self.here.says("unspent", ref_key(self.ref)).answer is True,
            self.there.says("unspent", key).answer is True,
        ]


@pytest.fixture
def move() -> Move:
    return Move()


def test_a_contract_moves_in_three_steps_and_is_usable_at_one_notary_at_a_time(move: Move) -> None:
    assert move.usable == [True, False]
    assert move.lock().id == move.name
    assert move.usable == [False, False]
    imported = move.there.done(move.bring_in())
    assert move.usable == [False, True]
    move.here.done(move.finish(imported))
    assert move.usable == [False, True]


def test_the_moved_contract_is_consumed_by_the_same_confirmers(move: Move) -> None:
    move.lock()
    move.there.done(move.bring_in())
    ledger = Ledger(move.there.id)
    ref = ContractRef(move.name, 0)
    ledger.salts[move.name, 0] = move.request.opening.salt
    alone = exercise(0, ref, A, by=confirmers(A))
    assert move.there.refused(ledger.request(alone)).code == "notary.opening"
    move.there.done(ledger.request(exercise(0, ref, A, B)))


def test_a_lock_needs_every_confirmer(move: Move) -> None:
    alone = move.request.replace(signatures=move.request.signatures[:1])
    assert move.here.refused(alone).code == "notary.signature"
    assert move.usable == [True, False]


def test_a_fallback_does_not_suffice_for_a_lock(move: Move) -> None:
    by = confirmers(A, B, fallback=[A], since=NOW)
    ref = made(move.here, move.ledger, A, B, by=by)
    bare = Lock(
        ref=ref, to=move.there.id, until=UNTIL, nonce=digest("n"), opening=move.ledger.opening(ref, by), signatures=()
    )
    alone = bare.replace(signatures=(A.sign(id_of(bare, move.here.id), LOCK),))
    assert move.here.refused(alone).code == "notary.signature"


def test_a_signature_over_a_lock_counts_for_nothing_else(move: Move) -> None:
    party = tuple(org.sign(move.name) for org in (A, B))
    assert move.here.refused(move.request.replace(signatures=party)).code == "signature.purpose"


def test_no_part_of_a_lock_can_be_changed_under_its_signatures(move: Move) -> None:
    elsewhere = Notary("elsewhere", words=move.here.words)
    for change in ({"to": elsewhere.id}, {"until": UNTIL.plus_ms(1)}, {"nonce": digest("other")}):
        assert move.here.refused(move.request.replace(**change)).code == "signature.invalid"


def test_a_contract_is_not_locked_for_a_notary_whose_word_is_not_taken(move: Move) -> None:
    assert move.here.refused(move.lock_request(to=digest("nowhere"))).code == "notary.stranger"


def test_a_lock_opens_the_true_confirmers(move: Move) -> None:
    opening = move.request.opening.replace(confirmers=confirmers(C))
    assert move.here.refused(move.request.replace(opening=opening)).code == "move.opening"


def test_a_lock_signed_for_one_notary_means_nothing_at_another(move: Move) -> None:
    assert move.there.refused(move.request).code == "move.same"
    third = Notary("third", words=move.here.words).with_orgs()
    assert third.refused(move.request).code == "notary.unknown"


def test_only_an_active_contract_is_locked(move: Move) -> None:
    move.lock()
    assert move.here.refused(move.lock_request(nonce="2")).code == "notary.locked"
    gone = made(move.here, move.ledger, A, B)
    move.here.done(move.ledger.request(exercise(0, gone, A, B)))
    late = lock_request(move.here, move.ledger, gone, A, B, to=move.there.id, until=UNTIL)
    assert move.here.refused(late).code == "notary.consumed"


def test_a_local_ref_is_neither_locked_nor_imported(move: Move) -> None:
    local = ContractRef(None, 0)
    assert move.here.refused(move.request.replace(ref=local)).code == "ledger.move"
    assert move.there.refused(move.bring_in().replace(ref=local)).code == "ledger.move"


def test_a_locked_contract_is_neither_used_nor_read(move: Move) -> None:
    move.lock()
    assert move.here.refused(move.ledger.request(exercise(0, move.ref, A, B))).code == "notary.locked"


def test_a_lock_and_a_consumption_in_one_block_are_decided_by_their_order(move: Move) -> None:
    consume = move.ledger.request(exercise(0, move.ref, A, B))
    yes, no = move.here.block(consume, move.request)
    assert isinstance(yes, Done)
    assert no.code == "notary.consumed"  # type: ignore[union-attr] # a Refused


def test_the_same_lock_again_gets_the_same_answer(move: Move) -> None:
    first = move.lock()
    assert move.lock() == first


def test_nothing_is_imported_that_was_not_locked(move: Move) -> None:
    assert move.there.refused(move.bring_in()).code == "receipt.notary"
    other = move.here.done(move.ledger.request(create(0, A)))
    assert move.there.refused(move.bring_in(move.here.receipt(other))).code == "move.receipt"


def test_an_import_names_exactly_what_was_locked(move: Move) -> None:
    move.lock()
    for change in (
        {"ref": ContractRef(move.ref.transaction, 1)}, {"until": UNTIL.plus_ms(1)}, {"nonce": digest("x")},
        {"commitment": digest("planted confirmers")},
    ):  # fmt: skip
        assert move.there.refused(move.bring_in().replace(**change)).code == "move.receipt"
    assert move.there.refused(move.bring_in().replace(origin=move.there.id)).code == "receipt.notary"


def test_a_lock_for_one_notary_is_not_imported_at_another(move: Move) -> None:
    move.lock()
    third = Notary("third", words=move.here.words).with_orgs()
    assert third.refused(move.bring_in()).code == "move.receipt"


def test_an_import_counts_once_however_often_it_is_sent(move: Move) -> None:
    move.lock()
    first = move.there.done(move.bring_in())
    ledger = Ledger(move.there.id)
    ledger.salts[move.name, 0] = move.request.opening.salt
    move.there.done(ledger.request(exercise(0, ContractRef(move.name, 0), A, B)))
    assert move.there.done(move.bring_in()) == first
    assert move.usable == [False, False], "a consumed contract does not come back by importing it again"


def test_the_time_of_an_import_is_judged_by_the_other_notary_alone(move: Move) -> None:
    move.lock()
    move.here.now = UNTIL.plus_ms(HOUR_MS)
    move.there.now = UNTIL.plus_ms(-1)
    move.there.done(move.bring_in())


def test_an_import_at_the_locks_time_comes_too_late(move: Move) -> None:
    move.lock()
    move.there.now = UNTIL
    assert move.there.refused(move.bring_in()).code == "move.too-late"


def test_an_import_that_was_in_time_is_answered_again_at_any_later_time(move: Move) -> None:
    move.lock()
    first = move.there.done(move.bring_in())
    move.there.now = UNTIL.plus_ms(HOUR_MS)
    assert move.there.done(move.bring_in()) == first


def test_finishing_works_at_any_later_time_and_again(move: Move) -> None:
    move.lock()
    done = move.there.done(move.bring_in())
    move.here.now = UNTIL.plus_ms(1000 * HOUR_MS)
    first = move.here.done(move.finish(done))
    assert move.here.done(move.finish(done)) == first
    assert move.here.refused(move.lock_request(nonce="2")).code == "notary.consumed"


def test_only_the_receipt_of_this_import_finishes(move: Move) -> None:
    move.lock()
    other = move.there.done(Ledger(move.there.id).request(create(0, A)))
    assert move.here.refused(move.finish(other)).code == "move.receipt"
    own = Finish(lock=move.name, receipt=move.here.id + b":" + move.name)
    assert move.here.refused(own).code == "receipt.notary"
    assert move.here.refused(Finish(lock=digest("none"), receipt=b"")).code == "move.unknown"


def test_nothing_unlocks_before_the_locks_time_at_the_other_notary(move: Move) -> None:
    move.lock()
    move.here.now = UNTIL.plus_ms(HOUR_MS)
    move.there.now = UNTIL.plus_ms(-1)
    assert move.here.refused(move.unlock()).code == "move.statement"


def test_a_contract_that_was_not_imported_in_time_is_usable_again(move: Move) -> None:
    move.lock()
    move.there.now = UNTIL
    first = move.here.done(move.unlock())
    assert move.usable == [True, False]
    assert move.there.refused(move.bring_in()).code == "move.too-late"
    assert move.here.done(move.unlock()) == first
    move.here.done(move.ledger.request(exercise(0, move.ref, A, B)))


def test_a_clock_set_back_after_the_word_lets_nothing_in(move: Move) -> None:
    move.lock()
    move.there.now = UNTIL
    move.here.done(move.unlock())
    move.there.now = NOW
    assert move.there.refused(move.bring_in()).code == "move.too-late"


def test_an_imported_contract_is_never_unlocked(move: Move) -> None:
    move.lock()
    move.there.done(move.bring_in())
    move.there.now = UNTIL
    assert move.here.refused(move.unlock()).code == "move.statement"


def test_a_word_about_something_else_unlocks_nothing(move: Move) -> None:
    move.lock()
    move.there.now = UNTIL
    for kind, subject in (("imported", digest("other lock")), ("accepted", move.name)):
        unlock = move.unlock().replace(statement=move.there.statement(kind, subject))
        assert move.here.refused(unlock).code == "move.statement"
    move.here.now = UNTIL
    own = move.unlock().replace(statement=move.here.statement("imported", move.name))
    assert move.here.refused(own).code == "notary.other-notary"


def test_an_old_lock_request_replayed_after_the_unlock_locks_nothing(move: Move) -> None:
    first = move.lock()
    move.there.now = UNTIL
    move.here.done(move.unlock())
    assert move.here.done(move.request, STRANGER) == first
    assert move.usable == [True, False]


def test_a_contract_moves_back_under_a_new_name(move: Move) -> None:
    move.lock()
    move.there.done(move.bring_in())
    ref = ContractRef(move.name, 0)
    back = Ledger(move.there.id)
    back.salts[move.name, 0] = move.request.opening.salt
    request = lock_request(move.there, back, ref, A, B, to=move.here.id, until=UNTIL)
    done = move.there.done(request)
    home = move.here.done(
        move.bring_in(move.there.receipt(done)).replace(origin=move.there.id, ref=ref)
    )  # fmt: skip
    assert home.id != done.id
    assert move.usable == [False, False]
    assert move.here.says("unspent", ref_key(ContractRef(done.id, 0))).answer is True


def test_signers_may_withdraw_from_a_lock_that_is_not_yet_made(move: Move) -> None:
    from interfirm.ledger.signing import WITHDRAWAL
    from interfirm.notary.types import Withdraw

    move.here.done(Withdraw(transaction=move.name, signature=A.sign(move.name, WITHDRAWAL)))
    assert move.here.refused(move.request).code == "notary.withdrawn"


def test_a_lock_whose_time_is_over_at_the_other_notary_ends_unlocked(move: Move) -> None:
    past = move.lock_request(until=NOW.plus_ms(-1))
    done = move.here.done(past)
    statement = move.there.statement("imported", done.id)
    move.here.done(Unlock(lock=done.id, statement=statement))
    move.here.done(move.ledger.request(exercise(0, move.ref, A, B), at=window()))
