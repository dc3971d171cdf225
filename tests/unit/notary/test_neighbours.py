"""Whose word is taken: by vote, by headers that follow from trusted ones, and by nothing else."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import dag_cbor
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.chains import (
    CHAIN,
    NETWORK,
    NOTARY,
    PERIOD_MS,
    START_NS,
    Kept,
    MadeChain,
    Notarised,
    hashed,
    members,
    outcome,
    result_leaf,
    sign,
)

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.logtree import Frontier
from interfirm.base.time import Instant
from interfirm.contracts.types import ContractRef
from interfirm.ledger.moves import import_id, lock_id
from interfirm.ledger.receipts.chain import LightBlock
from interfirm.ledger.receipts.cometbft import ClusterReceipt, InResult, without_known
from interfirm.ledger.receipts.light import trusted_block
from interfirm.ledger.receipts.types import Anchor, Trusted
from interfirm.notary.abroad import Anchors, Believing
from interfirm.notary.evidence.types import Accuse, TwoBlocks
from interfirm.notary.governance.types import ForgetNotary, SetParameter, TrustNotary
from interfirm.notary.neighbours import types
from interfirm.notary.neighbours.machine import last_anchor, neighbour_of
from interfirm.notary.neighbours.types import Renew
from interfirm.notary.solo import receipts
from interfirm.notary.types import Done, Finish, Import, Said, Unlock, ref_key

from .councils import Council
from .notaries import HOUR_MS, NOW, A, B, Ledger, Notary, lock_request
from .notaries import made as made_here

START_MS = START_NS // 1_000_000
MINUTES_15 = PERIOD_MS // 4 // 1000
"""So many seconds later, a header may be kept as the last one."""
LATE = hashed("a late transaction")


@pytest.fixture
def council() -> Council:
    return Council()


@pytest.fixture(scope="module")
def made() -> Notarised:
    return Notarised()


def abroad(council: Council, *, at_ms: int | None = None) -> Believing:
    """What a block at this time believes; a minute after the chain of these tests began, if not told otherwise."""
    return Believing(Anchors(), council, now_ms=START_MS + 60_000 if at_ms is None else at_ms)


def code(call: Any, *arguments: object, **named: object) -> str:
    with pytest.raises(Refusal) as refusal:
        call(*arguments, **named)
    return refusal.value.code


def trusting(council: Council, anchor: Anchor) -> Council:
    return council.applied(TrustNotary(neighbour=neighbour_of(anchor)))


def kept(council: Council, notary: bytes = NOTARY) -> types.Kept:
    return codec.from_plain(council.says("notary", notary).answer, types.Kept)


# by vote --------------------------------------------------------------------------------------------------------------


def test_a_cluster_that_was_voted_for_is_believed(council: Council, made: Notarised) -> None:
    receipt = codec.encode(made.receipt())
    assert code(abroad(council).receipt, NOTARY, receipt) == "notary.stranger"
    assert code(abroad(council).check_known, NOTARY) == "notary.stranger"
    trusting(council, made.anchor)
    assert abroad(council).receipt(NOTARY, receipt) == made.transaction
    abroad(council).check_known(NOTARY)


def test_what_a_clusters_state_shows_is_believed(council: Council) -> None:
    state = Kept({("imports", hashed("lock")): hashed("origin")})
    trusting(council, state.anchor)
    for subject, answer in ((hashed("lock"), hashed("origin")), (hashed("another lock"), None)):
        proof = codec.encode(state.proof("imported", "imports", subject))
        said = abroad(council).statement(NOTARY, proof)
        assert said == Said("imported", subject, answer, state.height, Instant(state.time_ms))


def test_a_solo_notary_that_was_voted_for_is_believed(council: Council) -> None:
    solo = Notary("another").with_orgs()
    done = Done(id=digest("t"), height=1, time=NOW, registry_height=0)
    _, batch = receipts.extend(Frontier(), [done], solo.signer, solo.anchor)
    receipt = receipts.receipts_of(batch, Frontier(), [done])[done.id]
    assert code(abroad(council).receipt, solo.id, receipt) == "notary.stranger"
    trusting(council, solo.anchor)
    assert abroad(council).receipt(solo.id, receipt) == done.id
    assert abroad(council).statement(solo.id, solo.statement("key", A.id)).subject == A.id


def test_one_that_was_forgotten_is_a_stranger_until_it_is_trusted_again(council: Council, made: Notarised) -> None:
    receipt = codec.encode(made.receipt())
    trusting(council, made.anchor).applied(ForgetNotary(notary=NOTARY))
    assert code(abroad(council).receipt, NOTARY, receipt) == "notary.stranger"
    assert kept(council).neighbour is None
    assert council.refused(council.proposal(ForgetNotary(notary=NOTARY))).code == "neighbour.unknown"
    trusting(council, made.anchor)
    assert abroad(council).receipt(NOTARY, receipt) == made.transaction


def test_a_neighbour_of_the_genesis_is_listed_and_can_be_forgotten() -> None:
    solo = Notary("another").with_orgs()
    council = Council(neighbours=(solo.anchor,))
    (found,) = codec.from_plain(council.says("notaries", bytes(8)).answer, list[types.Kept])
    assert (found.notary, found.proposal, found.height) == (solo.id, council.id, 1)
    assert abroad(council).statement(solo.id, solo.statement("key", A.id)).subject == A.id
    council.applied(ForgetNotary(notary=solo.id))
    assert code(abroad(council).statement, solo.id, solo.statement("key", A.id)) == "notary.stranger"


def test_more_than_two_thirds_of_the_voters_decide_whose_word_is_taken(council: Council, made: Notarised) -> None:
    name = council.proposed(TrustNotary(neighbour=neighbour_of(made.anchor)))
    council.done(council.ballot(name, B))
    assert council.found(name).status == "open"
    assert council.says("notary", NOTARY).answer is None


def test_notaries_are_listed_in_the_order_in_which_they_were_trusted(council: Council, made: Notarised) -> None:
    solo = Notary("another")
    trusting(trusting(council, made.anchor), solo.anchor).applied(ForgetNotary(notary=NOTARY))
    shown = codec.from_plain(council.says("notaries", bytes(8)).answer, list[types.Kept])
    assert [(each.notary, each.neighbour is None) for each in shown] == [(NOTARY, True), (solo.id, False)]
    assert council.says("notaries", (2).to_bytes(8, "big")).answer == []


def test_what_contradicts_itself_or_says_nothing_new_is_not_put_to_the_vote(council: Council, made: Notarised) -> None:
    good = neighbour_of(made.anchor)
    assert isinstance(good, types.ClusterNeighbour)
    first = good.trusted
    for changed, expected in (
        (good.replace(notary=council.id), "neighbour.self"),
        (good.replace(trusted=first.replace(validators=())), "receipt.validators"),
        (good.replace(trusted=first.replace(next_validators=hashed("others"))), "neighbour.anchor"),
        (good.replace(trusted=first.replace(hash=hashed("block"))), "neighbour.anchor"),
        (good.replace(trusted=first.replace(height=3)), "neighbour.anchor"),
    ):
        assert council.refused(council.proposal(TrustNotary(neighbour=changed))).code == expected
    trusting(council, made.anchor)
    assert council.refused(council.proposal(TrustNotary(neighbour=good))).code == "neighbour.known"


def test_an_anchor_whose_time_is_not_known_is_no_neighbours(made: Notarised) -> None:
    undated = made.anchor.replace(trusted=made.anchor.trusted.replace(time_ns=0))
    assert code(neighbour_of, undated) == "neighbour.anchor"


def test_no_more_notaries_are_trusted_than_the_limit_says() -> None:
    council = Council().applied(SetParameter(name="notaries_count_max", value=4))
    council.pass_to(council.governed().next_epoch)
    for n in range(4):
        trusting(council, Notary(f"n{n}").anchor)
    one_more = TrustNotary(neighbour=neighbour_of(Notary("one more").anchor))
    assert council.refused(council.proposal(one_more)).code == "neighbour.count"


# by headers -----------------------------------------------------------------------------------------------------------


def test_a_receipt_of_another_chain_is_refused(council: Council, made: Notarised) -> None:
    trusting(council, made.anchor.replace(chain_id=CHAIN + "-2"))
    assert code(abroad(council).receipt, NOTARY, codec.encode(made.receipt())) == "receipt.chain"


def test_a_receipt_is_judged_by_the_time_of_the_block(council: Council, made: Notarised) -> None:
    receipt = codec.encode(made.receipt())
    trusting(council, made.anchor)
    assert abroad(council, at_ms=START_MS + PERIOD_MS - 1).receipt(NOTARY, receipt) == made.transaction
    assert code(abroad(council, at_ms=START_MS + PERIOD_MS).receipt, NOTARY, receipt) == "receipt.expired"
    assert code(abroad(council, at_ms=START_MS - 60_000).receipt, NOTARY, receipt) == "receipt.future"
    assert Believing(Anchors(), council, now_ms=None).receipt(NOTARY, receipt) == made.transaction


class Long:
    """A chain that went on for a long time, trusted from its beginning, and a notary whose clock follows it."""

    def __init__(self, *, after: int = MINUTES_15, then: tuple[int, ...] = tuple(range(7))) -> None:
        self.early = Notarised()
        self.chain: MadeChain = self.early.chain
        self.council = trusting(Council(), self.early.anchor)
        self.chain.grow(seconds=after, then=members(then))
        self.chain.grow()
        self.passed(self.chain.blocks[-1])

    def passed(self, block: LightBlock) -> None:
        self.council.now = Instant(block.header.time_ns // 1_000_000 + 1)

    def walk(self, *heights: int) -> Renew:
        return Renew(notary=NOTARY, walk=tuple(self.chain.at(height) for height in heights))

    def late_receipt(self) -> bytes:
        """A transaction is accepted now; its receipt leads there from the chain's beginning."""
        data = outcome(LATE, height=len(self.chain.blocks) + 1)
        self.chain.grow(results=[result_leaf(data)])
        self.chain.grow()
        shown = InResult(index=0, count=1, path=(), code=0, gas_wanted=0, gas_used=0, data=data)
        walk = without_known(tuple(self.chain.blocks[-1:]), self.early.anchor.trusted)
        return codec.encode(ClusterReceipt(transaction=LATE, shown=shown, walk=walk))

    def last(self) -> Trusted:
        return trusted_block(self.chain.blocks[-1])

    def believes(self) -> Believing:
        return abroad(self.council, at_ms=self.council.now.ms)


@pytest.fixture
def long() -> Long:
    return Long()


def test_anybody_renews_trust_by_a_later_header(long: Long) -> None:
    long.council.done(long.walk(len(long.chain.blocks)), requester=digest("a stranger"))
    (header,) = kept(long.council).renewed
    assert (header.height, header.hash) == (len(long.chain.blocks), long.last().hash)
    assert kept(long.council).neighbour == neighbour_of(long.early.anchor)


def test_what_was_made_before_and_after_a_renewal_is_believed(long: Long) -> None:
    long.council.done(long.walk(len(long.chain.blocks)))
    before = codec.encode(long.early.receipt())
    assert long.believes().receipt(NOTARY, before) == long.early.transaction
    assert long.believes().receipt(NOTARY, long.late_receipt()) == LATE


def test_the_last_header_is_what_trust_is_renewed_from(long: Long) -> None:
    assert last_anchor(kept(long.council)) == long.early.anchor
    long.council.done(long.walk(len(long.chain.blocks)))
    assert last_anchor(kept(long.council)) == long.early.anchor.replace(trusted=long.last())


def test_what_is_wrong_by_the_last_header_is_not_tried_by_those_before(long: Long) -> None:
    long.council.done(long.walk(len(long.chain.blocks)))
    receipt = codec.decode(long.late_receipt(), ClusterReceipt)
    (block,) = receipt.walk
    few = block.commit.replace(votes=(*block.commit.votes[:4], None, None, None))
    assert code(long.believes().receipt, NOTARY, codec.encode(receipt.replace(walk=(block.replace(commit=few),)))) == (
        "receipt.power"
    )


def test_trust_that_was_renewed_lasts_longer(long: Long) -> None:
    long.council.done(long.walk(len(long.chain.blocks)))
    long.chain.grow(seconds=PERIOD_MS // 1000 - 60)
    long.passed(long.chain.blocks[-1])
    receipt = codec.encode(long.early.receipt())
    assert code(long.believes().receipt, NOTARY, receipt) == "receipt.expired", "it stands on the first header alone"
    long.council.done(long.walk(len(long.chain.blocks)))
    assert [each.height for each in kept(long.council).renewed] == [5, 6]


def test_a_renewal_over_a_change_of_all_validators_shows_the_way() -> None:
    long = Long(then=tuple(range(7, 14)))
    last = len(long.chain.blocks)
    assert long.council.refused(long.walk(last)).code == "receipt.trust"
    long.council.done(long.walk(last - 1, last))
    assert kept(long.council).renewed[0].next_validators == long.last().next_validators
    receipt = codec.encode(long.early.receipt())
    assert long.believes().receipt(NOTARY, receipt) == long.early.transaction, "by the validators of the first header"


def test_a_walk_that_does_not_follow_is_refused(long: Long) -> None:
    last = len(long.chain.blocks)
    block = long.chain.at(last)
    votes = block.commit.votes
    forged = block.replace(header=block.header.replace(application=hashed("another state")))
    few = block.replace(commit=block.commit.replace(votes=(*votes[:4], None, None, None)))
    others = MadeChain(members(range(7, 14))).grown(5, seconds=120).blocks[-1]
    for walk, expected in (
        ((forged,), "signature.invalid"), ((few,), "receipt.power"), ((), "receipt.walk"),
        ((others,), "receipt.trust"),
        ((block, long.chain.at(last - 1)), "receipt.walk"),
    ):  # fmt: skip
        assert long.council.refused(Renew(notary=NOTARY, walk=walk)).code == expected
    assert kept(long.council).renewed == ()


def test_a_header_of_a_time_to_come_renews_nothing(long: Long) -> None:
    long.council.now = Instant(START_MS + 60_000)
    assert long.council.refused(long.walk(len(long.chain.blocks))).code == "receipt.future"


def test_trust_that_has_expired_is_renewed_by_votes_alone() -> None:
    long = Long(after=PERIOD_MS // 1000)
    last = len(long.chain.blocks)
    assert long.council.refused(long.walk(last)).code == "receipt.expired"
    trusting(long.council, long.early.anchor.replace(trusted=long.last()))
    assert long.believes().check_known(NOTARY) is None
    receipt = codec.encode(long.early.receipt())
    assert code(long.believes().receipt, NOTARY, receipt) == "receipt.behind"


def test_nobody_renews_so_often_that_what_was_just_made_is_behind() -> None:
    long = Long(after=60)
    assert long.council.refused(long.walk(len(long.chain.blocks))).code == "neighbour.early"


def test_only_what_is_trusted_and_a_cluster_is_renewed(long: Long) -> None:
    solo = Notary("another")
    walk = long.walk(len(long.chain.blocks)).walk
    assert long.council.refused(Renew(notary=digest("nobody"), walk=walk)).code == "neighbour.unknown"
    trusting(long.council, solo.anchor)
    assert long.council.refused(Renew(notary=solo.id, walk=walk)).code == "neighbour.key"


def test_headers_that_count_no_more_are_dropped() -> None:
    long = Long()
    for _ in range(9):
        long.council.done(long.walk(len(long.chain.blocks)))
        long.chain.grow(seconds=MINUTES_15)
        long.passed(long.chain.blocks[-1])
    heights = [each.height for each in kept(long.council).renewed]
    assert heights == sorted(heights)
    assert len(heights) <= 5


STEP_S = 400
LONG_CHAIN = MadeChain(members(range(4))).grown(40, seconds=STEP_S)


@settings(max_examples=25, deadline=None)
@given(shown=st.lists(st.integers(min_value=1, max_value=40), min_size=1, max_size=12))
def test_in_whatever_order_headers_are_shown_those_kept_ascend_far_enough_apart(shown: list[int]) -> None:
    council = trusting(Council(), LONG_CHAIN.anchor)
    for height in shown:
        block = LONG_CHAIN.at(height)
        council.now = max(council.now, Instant(block.header.time_ns // 1_000_000 + 1))
        council.ask(Renew(notary=NOTARY, walk=(block,)))
        times = [START_NS, *(each.time_ns for each in kept(council).renewed)]
        assert all(4 * (later - before) >= PERIOD_MS * 1_000_000 for before, later in pairwise(times))
        assert times == sorted(times)
        assert len(times) <= 1 + 5


def test_neighbours_are_written_as_the_specification_says(council: Council, made: Notarised) -> None:
    council.applied(TrustNotary(neighbour=neighbour_of(made.anchor)))
    first = made.anchor.trusted
    header = [0, b"", START_NS, [[each.key, each.power] for each in first.validators], first.next_validators]
    data = council.state["governance", b"neighbour" + NOTARY]
    notary, neighbour, proposal, height, renewed = dag_cbor.decode(data)
    assert (notary, neighbour) == (NOTARY, ["cluster", NOTARY, NETWORK, CHAIN, header, PERIOD_MS])
    assert (council.found(proposal).ended, renewed) == (height, [])


# a chain that forked --------------------------------------------------------------------------------------------------


def fork(made: Notarised, *, at: int = 2, walk: tuple[int, ...] = ()) -> TwoBlocks:
    """The chain's own block of a height, and another one of that height that its validators signed."""
    block = made.chain.at(at)
    other = sign(block.header.replace(data=hashed("another history")), block.validators)
    return TwoBlocks(notary=NOTARY, walk=tuple(made.chain.at(each) for each in walk), first=block, second=other)


def test_a_cluster_that_signed_two_blocks_of_one_height_is_believed_no_more(
    council: Council, made: Notarised
) -> None:  # fmt: skip
    trusting(council, made.anchor)
    council.now = Instant(START_MS + 60_000)
    found = fork(made)
    done = council.done(Accuse(evidence=found))
    assert code(abroad(council).receipt, NOTARY, codec.encode(made.receipt())) == "notary.two-faced"
    assert council.says("conviction", done.id).answer == ["two-blocks", NOTARY, council.height - 1, 0]
    other_way = found.replace(first=found.second, second=found.first)
    assert council.done(Accuse(evidence=other_way)).id == done.id


def test_headers_between_lead_to_the_fork(council: Council, made: Notarised) -> None:
    trusting(council, made.anchor)
    council.now = Instant(START_MS + 60_000)
    council.done(Accuse(evidence=fork(made, at=3, walk=(1, 2))))


def test_what_proves_no_fork_convicts_nobody(council: Council, made: Notarised) -> None:
    assert council.refused(Accuse(evidence=fork(made))).code == "evidence.unknown"
    trusting(council, made.anchor)
    council.now = Instant(START_MS + 60_000)
    good = fork(made)
    strangers = MadeChain(members(range(7, 14))).grown(2).at(2)
    few = good.second.commit.replace(votes=(*good.second.commit.votes[:4], None, None, None))
    for changed, expected in (
        (good.replace(second=good.first), "evidence.blocks"),
        (good.replace(second=made.chain.at(1)), "evidence.blocks"),
        (good.replace(second=strangers), "receipt.trust"),
        (good.replace(second=good.second.replace(commit=few)), "receipt.power"),
    ):
        assert council.refused(Accuse(evidence=changed)).code == expected
    council.now = Instant(START_MS + PERIOD_MS)
    assert council.refused(Accuse(evidence=good)).code == "receipt.expired", "who left may have lost old keys"


def test_a_solo_notary_signs_no_blocks(council: Council, made: Notarised) -> None:
    solo = Notary("another")
    trusting(council, solo.anchor)
    assert council.refused(Accuse(evidence=fork(made).replace(notary=solo.id))).code == "evidence.blocks"


# moves between clusters -----------------------------------------------------------------------------------------------


def accepted_there(*names: bytes) -> MadeChain:
    """The other cluster's chain, on which a block accepted these."""
    chain = MadeChain(members(range(7))).grown(1)
    chain.grow(results=[result_leaf(outcome(*names, height=2))])
    return chain.grown(1)


def receipt_of(name: bytes, chain: MadeChain) -> bytes:
    shown = InResult(
        index=0, count=1, path=(), code=0, gas_wanted=0, gas_used=0, data=outcome(name, height=2)
    )  # fmt: skip
    walk = without_known((chain.at(3),), chain.anchor.trusted)
    return codec.encode(ClusterReceipt(transaction=name, shown=shown, walk=walk))


UNTIL = NOW.plus_ms(HOUR_MS)
COMMITMENT = digest("commitment")


def coming(council: Council) -> tuple[Import, bytes]:
    """The import of a contract that the other cluster has locked for this one, and its lock id."""
    ref, nonce = ContractRef(digest("there"), 0), digest("nonce")
    name = lock_id(NOTARY, ref, council.id, UNTIL, nonce, COMMITMENT)
    receipt = receipt_of(name, accepted_there(name))
    return Import(origin=NOTARY, ref=ref, until=UNTIL, nonce=nonce, commitment=COMMITMENT, receipt=receipt), name


def test_a_contract_comes_from_a_cluster_that_is_believed_alone(council: Council) -> None:
    council.now = Instant(START_MS + 60_000)
    request, name = coming(council)
    trusting(council, accepted_there().anchor)
    other, _ = coming(Council("another"))
    assert council.refused(request.replace(receipt=other.receipt)).code == "move.receipt"
    council.applied(ForgetNotary(notary=NOTARY))
    assert council.refused(request).code == "notary.stranger"
    trusting(council, accepted_there().anchor)
    council.done(request)
    assert council.says("unspent", ref_key(ContractRef(name, 0))).answer is True


@pytest.mark.parametrize(("scenario", "expected"), [(None, "receipt.expired"), (NOW, None)])
def test_in_a_scenario_headers_are_not_judged_by_its_time(scenario: Instant | None, expected: str | None) -> None:
    council = trusting(Council(scenario=scenario), accepted_there().anchor.replace(trusting_period_ms=60_000))
    council.now = Instant(UNTIL.ms - HOUR_MS // 2)
    assert getattr(council.ask(coming(council)[0]), "code", None) == expected


def going(council: Council) -> tuple[ContractRef, bytes]:
    """A contract here that is locked for the other cluster, and the lock id."""
    trusting(council.with_orgs(), accepted_there().anchor)
    ledger = Ledger(council.id)
    ref = made_here(council, ledger, A)
    return ref, council.done(lock_request(council, ledger, ref, A, to=NOTARY, until=UNTIL)).id


def test_a_lock_ends_by_the_receipt_of_the_cluster_that_imported(council: Council) -> None:
    ref, lock = going(council)
    council.now = Instant(START_MS + 60_000)
    chain = accepted_there(import_id(lock))
    assert council.refused(Finish(lock=lock, receipt=receipt_of(lock, accepted_there(lock)))).code == "move.receipt"
    council.done(Finish(lock=lock, receipt=receipt_of(import_id(lock), chain)))
    assert council.says("consumer", ref_key(ref)).answer is not None


def test_a_lock_is_undone_by_a_proof_of_the_state_of_the_cluster_that_did_not_import(council: Council) -> None:
    ref, lock = going(council)
    council.now = Instant(START_MS + 60_000)
    for time_ms, taken, expected in (
        (UNTIL.ms - 1, {}, "move.statement"), (UNTIL.ms, {("imports", lock): council.id}, "move.statement"),
        (UNTIL.ms, {}, None),
    ):  # fmt: skip
        state = Kept({("imports", hashed("another")): hashed("origin"), **taken}, time_ms=time_ms)
        statement = codec.encode(state.proof("imported", "imports", lock))
        answer = council.ask(Unlock(lock=lock, statement=statement))
        assert getattr(answer, "code", None) == expected
    assert council.says("unspent", ref_key(ref)).answer is True
