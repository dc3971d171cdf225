"""Receipts of a cluster and proofs of its state: what they show, and the rule by which each forgery is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.support.chains import (
    KEYS,
    NETWORK,
    NOTARY,
    PERIOD_MS,
    SECOND_NS,
    Kept,
    MadeChain,
    Notarised,
    done_at,
    hashed,
    members,
    outcome,
    result_leaf,
    shown,
    sign,
)

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.limits import LIMITS
from interfirm.base.signatures import Ed25519Signer
from interfirm.ledger.receipts.chain import LightBlock, validators_hash
from interfirm.ledger.receipts.cometbft import (
    ClusterReceipt,
    InResult,
    InState,
    StateProof,
    done_in,
    verify_cluster_receipt,
    verify_state,
    verify_walk,
    without_known,
)
from interfirm.ledger.receipts.ics23 import Absence, Existence, decode, encode
from interfirm.ledger.receipts.light import lightened, trusted_block
from interfirm.ledger.receipts.types import Accepted, ClusterAnchor, NotaryAnchor
from interfirm.ledger.receipts.verify import verify_receipt, verify_receipt_of
from interfirm.notary.cometbft.shown import result_with

REF, CLAIM, GONE = hashed("ref") + bytes(4), hashed("claim"), hashed("nothing")


def code(call: Callable[..., object], *arguments: object, **named: object) -> str:
    with pytest.raises(Refusal) as refusal:
        call(*arguments, **named)
    return refusal.value.code


@pytest.fixture(scope="module")
def made() -> Notarised:
    return Notarised()


@pytest.fixture(scope="module")
def kept() -> Kept:
    done = codec.encode(done_at(hashed("a transaction"), 2))
    return Kept({
        ("refs", REF): b"\x01", ("claims", CLAIM): codec.encode(["taken", hashed("t")]),
        ("accepted", hashed("a transaction")): done, ("accepted", hashed("misfiled")): done,
        ("accepted", hashed("garbage")): b"\xff",
    })  # fmt: skip


def refused(made: Notarised, anchor: ClusterAnchor | None = None, now_ms: int | None = None, **changes: object) -> str:
    receipt = codec.encode(made.receipt(**changes))
    return code(verify_cluster_receipt, receipt, anchor=anchor or made.anchor, now_ms=now_ms)


# shown by a result ----------------------------------------------------------------------------------------------------


def test_a_result_shows_that_a_transaction_was_accepted(made: Notarised) -> None:
    receipt = codec.encode(made.receipt())
    accepted = Accepted(
        transaction=made.transaction, height=made.height, time_ms=made.height * 1000, registry_height=1
    )  # fmt: skip
    assert verify_cluster_receipt(receipt, anchor=made.anchor) == accepted
    assert verify_receipt(receipt, anchor=made.anchor) == accepted
    assert verify_receipt_of(made.transaction, receipt, anchor=made.anchor) == accepted
    assert code(verify_receipt_of, hashed("other"), receipt, anchor=made.anchor) == "receipt.other"


def test_the_kind_of_anchor_decides_what_a_receipt_must_be(made: Notarised) -> None:
    solo = NotaryAnchor(notary=NOTARY, network=NETWORK, key=Ed25519Signer(hashed("solo")).public)
    assert code(verify_receipt, codec.encode(made.receipt()), anchor=solo) == "receipt.malformed"
    assert code(verify_receipt, b"\xd2\x84", anchor=made.anchor).startswith("codec.")


def test_a_result_that_the_header_does_not_commit_to_is_refused(made: Notarised) -> None:
    result = made.result
    for changes in (
        {"index": result.index - 1}, {"index": result.index + 1}, {"code": 1}, {"gas_wanted": 1}, {"gas_used": 1},
        {"data": outcome(made.transaction, height=made.height)}, {"path": (hashed("lie"), *result.path[1:])},
        {"data": result.data + b"\x00"},
    ):  # fmt: skip
        assert refused(made, shown=result.replace(**changes)) == "receipt.results", changes


@pytest.mark.parametrize("changes", [{"index": 5}, {"count": 9}, {"path": ()}, {"path": (bytes(32),) * 9}])
def test_a_path_that_fits_no_such_tree_is_refused(made: Notarised, changes: dict[str, object]) -> None:
    assert refused(made, shown=made.result.replace(**changes)).startswith(("log.", "receipt.results"))


def test_the_header_of_another_height_does_not_commit_to_the_result(made: Notarised) -> None:
    for height in (made.height, made.header_height - 2):
        walk = without_known((made.chain.at(height),), made.anchor.trusted)
        assert refused(made, walk=walk) == "receipt.results"


def accepting(data: bytes, *, result_code: int = 0) -> tuple[MadeChain, InResult]:
    """A chain whose second block has one result: this."""
    chain = MadeChain(members(range(4))).grown(1)
    chain.grow(results=[result_leaf(data, result_code)])
    chain.grow()
    return chain, InResult(index=0, count=1, path=(), code=result_code, gas_wanted=0, gas_used=0, data=data)


def judged(chain: MadeChain, result: InResult, transaction: bytes) -> str:
    walk = without_known((chain.at(3),), chain.anchor.trusted)
    receipt = codec.encode(ClusterReceipt(transaction=transaction, shown=result, walk=walk))
    return code(verify_cluster_receipt, receipt, anchor=chain.anchor)


def test_an_envelope_that_was_refused_accepts_nothing() -> None:
    transaction = hashed("t")
    assert judged(*accepting(outcome(transaction, height=2), result_code=1), transaction) == "receipt.outcome"


def test_an_outcome_that_says_something_else_accepts_nothing() -> None:
    transaction = hashed("t")
    for plain in (
        [[], "envelope.expired"], [[["refused", "notary.spent", "", {}]], ""],
        [[["done", hashed("other"), 2, [2], 1]], ""],
        ["done", transaction, 2, [2], 1], [[transaction], ""], [{"done": transaction}, ""], "done", None, [],
    ):  # fmt: skip
        assert judged(*accepting(codec.encode(plain)), transaction) == "receipt.outcome", plain


def test_an_answer_of_another_shape_is_refused() -> None:
    transaction = hashed("t")
    for answer in (["done", transaction], ["done", transaction, -1, [2], 1], ["done", transaction, 2, 2, 1, 1]):
        assert judged(*accepting(codec.encode([[answer], ""])), transaction) == "codec.shape"
    assert code(done_in, b"\xff", transaction).startswith("codec.")


def test_other_answers_of_the_same_envelope_do_not_hinder() -> None:
    transaction = hashed("t")
    plain = [["said", "unspent"], 7, ["done", hashed("other"), 2, [2], 1], ["done", transaction, 2, [2], 1]]
    assert done_in(codec.encode([plain, ""]), transaction) == codec.from_plain(plain[3], type(done_at(transaction, 2)))


def test_the_result_is_found_among_those_of_a_block(made: Notarised) -> None:
    assert made.result.index == 2
    assert code(result_with, hashed("t"), [shown(each) for each in made.data]) == "receipt.outcome"


# shown by the state ---------------------------------------------------------------------------------------------------


def test_the_state_shows_that_a_transaction_was_accepted(kept: Kept) -> None:
    receipt = codec.encode(kept.receipt(hashed("a transaction")))
    assert verify_cluster_receipt(receipt, anchor=kept.anchor).height == 2


def test_a_transaction_that_the_state_does_not_remember_was_not_accepted(kept: Kept) -> None:
    receipt = kept.receipt(hashed("unknown"))
    assert receipt.shown == kept.shown("accepted", hashed("unknown"))
    assert code(verify_cluster_receipt, codec.encode(receipt), anchor=kept.anchor) == "receipt.outcome"


def test_a_state_that_remembers_another_thing_there_is_refused(kept: Kept) -> None:
    for name, expected in (("misfiled", "receipt.outcome"), ("garbage", "codec.malformed")):
        receipt = codec.encode(kept.receipt(hashed(name)))
        assert code(verify_cluster_receipt, receipt, anchor=kept.anchor) == expected


def test_the_proof_of_another_transaction_is_refused(kept: Kept) -> None:
    receipt = kept.receipt(hashed("a transaction")).replace(transaction=hashed("other"))
    assert code(verify_cluster_receipt, codec.encode(receipt), anchor=kept.anchor) == "proof.key"


def test_the_state_says_what_is_there_and_what_is_not(kept: Kept) -> None:
    for kind, space, subject, value in (
        ("unspent", "refs", REF, b"\x01"), ("consumer", "refs", REF, b"\x01"),
        ("unspent", "refs", GONE + bytes(4), None),
        ("claim", "claims", CLAIM, codec.encode(["taken", hashed("t")])), ("claim", "claims", GONE, None),
        ("imported", "imports", GONE, None), ("key", "registry", GONE, None),
    ):  # fmt: skip
        found = verify_state(codec.encode(kept.proof(kind, space, subject)), anchor=kept.anchor)
        assert (found.kind, found.subject, found.value) == (kind, subject, value)
        assert (found.height, found.time_ms) == (kept.height, kept.time_ms)


def state_refused(kept: Kept, proof: StateProof) -> str:
    return code(verify_state, codec.encode(proof), anchor=kept.anchor)


def test_what_is_there_is_not_shown_as_absent_and_the_reverse(kept: Kept) -> None:
    there, gone = kept.proof("claim", "claims", CLAIM), kept.proof("claim", "claims", GONE)
    assert state_refused(kept, there.replace(shown=there.shown.replace(value=None))) == "proof.kind"
    assert state_refused(kept, gone.replace(shown=gone.shown.replace(value=b"\x01"))) == "proof.kind"
    assert state_refused(kept, there.replace(shown=there.shown.replace(value=b"\x01"))) == "proof.value"
    assert state_refused(kept, gone.replace(subject=CLAIM)) == "proof.key"


def test_a_proof_of_another_space_or_question_is_refused(kept: Kept) -> None:
    proof = kept.proof("claim", "claims", CLAIM)
    assert state_refused(kept, proof.replace(kind="key")) == "proof.key"
    assert state_refused(kept, proof.replace(kind="weather")) == "receipt.question"
    assert state_refused(kept, proof.replace(shown=kept.shown("refs", REF))) == "proof.key"


def test_a_time_that_is_not_the_states_is_refused(kept: Kept) -> None:
    proof = kept.proof("claim", "claims", CLAIM)
    later = proof.time.replace(value=codec.encode(kept.time_ms + 1))
    assert state_refused(kept, proof.replace(time=later)) == "proof.value"
    assert state_refused(kept, proof.replace(time=proof.shown)) == "proof.key"


def test_a_state_is_below_the_header_that_commits_to_it_and_no_other(kept: Kept) -> None:
    proof = kept.proof("claim", "claims", CLAIM)
    for height in (kept.height, kept.height - 1):
        walk = without_known((kept.chain.at(height),), kept.anchor.trusted)
        assert state_refused(kept, proof.replace(walk=walk)) == "proof.root"
    other = Kept({("claims", CLAIM): kept.entries["claims", CLAIM]})
    assert state_refused(kept, proof.replace(shown=other.shown("claims", CLAIM))) == "proof.root"


def test_proofs_that_are_no_proofs_are_refused(kept: Kept) -> None:
    proof = kept.proof("claim", "claims", CLAIM)
    first, second = proof.shown.proofs
    for proofs in ((b"", second), (first, b""), (first[:-1], second), (first, second + b"\x00")):
        assert state_refused(kept, proof.replace(shown=proof.shown.replace(proofs=proofs))) == "proof.malformed"
    assert state_refused(kept, proof.replace(shown=proof.shown.replace(proofs=(second, first)))) == "proof.key"


def test_an_absence_between_neighbours_that_are_apart_is_refused(kept: Kept) -> None:
    """The hidden key lies between the two, and both are really there."""
    names = sorted(hashed(name) for name in ("a transaction", "misfiled", "garbage"))
    left, right = (decode(kept.shown("accepted", name).proofs[0]) for name in (names[0], names[2]))
    assert isinstance(left, Existence)
    assert isinstance(right, Existence)
    there = kept.proof("accepted", "accepted", names[1])
    hidden = encode(Absence(key=names[1], left=left, right=right))
    shown = InState(value=None, proofs=(hidden, there.shown.proofs[1]))
    assert state_refused(kept, there.replace(shown=shown)) == "proof.neighbours"


# the walk -------------------------------------------------------------------------------------------------------------


def test_a_walk_may_show_headers_between(made: Notarised) -> None:
    for heights in ((1,), (1, 2), (2,)):
        verify_cluster_receipt(codec.encode(made.receipt(*heights)), anchor=made.anchor)


def test_a_walk_has_headers_but_not_too_many_and_they_ascend(made: Notarised) -> None:
    first, last = made.chain.at(1), made.chain.at(made.header_height)
    for walk in ((), (last, first), (last, last), (first, first, last)):
        assert refused(made, walk=walk) == "receipt.walk"
    count = LIMITS.receipt_walk_count_max
    chain = MadeChain(members(range(1))).grown(count + 1)
    assert verify_walk(tuple(chain.blocks[:count]), anchor=chain.anchor).height == count
    assert code(verify_walk, tuple(chain.blocks), anchor=chain.anchor) == "receipt.walk"


def test_sets_are_shown_once(made: Notarised) -> None:
    assert not any(block.validators for block in made.receipt(1, 2).walk)
    changed = Notarised(members(range(4)), then=[members(range(1, 6)), members(range(1, 6))])
    walk = changed.receipt(2, 3).walk
    assert [bool(block.validators) for block in walk] == [False, True, False]
    verify_cluster_receipt(codec.encode(changed.receipt(2, 3)), anchor=changed.anchor)


def test_a_set_that_was_not_shown_is_refused() -> None:
    changed = Notarised(members(range(4)), then=[members(range(1, 6))])
    bare = [block.replace(validators=()) for block in changed.receipt().walk]
    assert refused(changed, walk=tuple(bare)) == "receipt.validators"


def test_a_set_that_the_header_does_not_name_is_refused(made: Notarised) -> None:
    block = made.chain.at(made.header_height).replace(validators=members(range(8)))
    assert refused(made, walk=(block,)) == "receipt.validators"


def test_a_walk_over_a_whole_change_of_validators_shows_headers_between() -> None:
    sets = [members(range(4)), members(range(2, 6)), members(range(4, 8)), members(range(6, 10))]
    changed = Notarised(sets[0], then=sets[1:])
    assert refused(changed) == "receipt.trust"
    verify_cluster_receipt(codec.encode(changed.receipt(2, 3, 4)), anchor=changed.anchor)


def forged(made: Notarised, **changes: object) -> LightBlock:
    """The receipt's last block with another header, signed by the real validators of its height."""
    block = made.chain.at(made.header_height)
    return sign(block.header.replace(**changes), block.validators)


def unsigned(made: Notarised, **changes: object) -> LightBlock:
    block = made.chain.at(made.header_height)
    return block.replace(header=block.header.replace(**changes))


def test_a_header_of_another_chain_is_refused(made: Notarised) -> None:
    assert refused(made, walk=(forged(made, chain_id="n-other"),)) == "receipt.chain"
    assert refused(made, made.anchor.replace(chain_id="n-other")) == "receipt.chain"


def test_a_header_that_nobody_signed_is_refused(made: Notarised) -> None:
    root = hashed("a root of my own")
    for changes in ({"last_results": root}, {"application": root}, {"next_validators": root}):
        assert refused(made, walk=(unsigned(made, **changes),)) == "signature.invalid"


def test_a_signed_header_that_commits_to_other_results_refuses_the_receipt(made: Notarised) -> None:
    assert refused(made, walk=(forged(made, last_results=hashed("other")),)) == "receipt.results"


def test_a_signed_header_with_another_state_refuses_the_proof(kept: Kept) -> None:
    block = kept.chain.at(kept.height + 1)
    other = sign(block.header.replace(application=hashed("other")), block.validators)
    proof = kept.proof("claim", "claims", CLAIM)
    assert state_refused(kept, proof.replace(walk=(other,))) == "proof.root"


def test_too_little_power_is_refused(made: Notarised) -> None:
    block = made.chain.at(made.header_height)
    assert refused(made, walk=(sign(block.header, block.validators, signers=KEYS[:4]),)) == "receipt.power"
    verify_cluster_receipt(
        codec.encode(made.receipt(walk=(sign(block.header, block.validators, signers=KEYS[:5]),))), anchor=made.anchor
    )


def test_strangers_who_sign_for_a_set_of_their_own_are_refused(made: Notarised) -> None:
    strangers = members(range(10, 17))
    header = made.chain.at(made.header_height).header.replace(validators=validators_hash(strangers))
    assert refused(made, walk=(sign(header, strangers),)) == "receipt.trust"
    first = made.chain.at(1).header.replace(validators=validators_hash(strangers))
    assert refused(made, walk=(sign(first, strangers), sign(header, strangers))) == "receipt.validators"


def test_a_later_anchor_passes_over_what_lies_before_it(made: Notarised) -> None:
    later = made.anchor.replace(trusted=trusted_block(made.chain.at(2)))
    verify_cluster_receipt(codec.encode(made.receipt(1)), anchor=later)
    at_the_end = made.anchor.replace(trusted=trusted_block(made.chain.at(made.header_height)))
    verify_cluster_receipt(codec.encode(made.receipt(1)), anchor=at_the_end)


def test_an_anchor_beyond_the_receipt_cannot_judge_it(made: Notarised) -> None:
    chain = MadeChain(members(range(7))).grown(9)
    beyond = made.anchor.replace(trusted=trusted_block(chain.at(9)))
    assert refused(made, beyond) == "receipt.behind"


def test_another_header_than_the_anchors_own_is_a_conflict(made: Notarised) -> None:
    trusted = trusted_block(made.chain.at(made.header_height))
    assert refused(made, made.anchor.replace(trusted=trusted), walk=(forged(made, data=hashed("o")),)) == (
        "receipt.conflict"
    )


def test_votes_that_nobody_needs_may_be_left_out_of_a_receipt(made: Notarised) -> None:
    block = lightened(made.anchor.trusted, made.chain.at(made.header_height))
    assert block.commit.votes.count(None) == 2
    light = codec.encode(made.receipt(walk=(block.replace(validators=()),)))
    assert len(light) < len(codec.encode(made.receipt()))
    verify_cluster_receipt(light, anchor=made.anchor)


def test_without_a_clock_an_old_receipt_stays_a_receipt_and_with_one_the_anchor_must_be_young(made: Notarised) -> None:
    begins_ms = made.anchor.trusted.time_ns // 1_000_000
    receipt = codec.encode(made.receipt())
    verify_cluster_receipt(receipt, anchor=made.anchor)
    verify_cluster_receipt(receipt, anchor=made.anchor, now_ms=begins_ms + PERIOD_MS - 1)
    assert refused(made, now_ms=begins_ms + PERIOD_MS) == "receipt.expired"
    timeless = made.anchor.replace(trusted=made.anchor.trusted.replace(time_ns=0))
    assert refused(made, timeless, now_ms=begins_ms) == "receipt.expired"


def test_a_header_of_a_time_to_come_is_refused(made: Notarised) -> None:
    begins_ms = made.anchor.trusted.time_ns // 1_000_000
    ahead = forged(made, time_ns=made.anchor.trusted.time_ns + 60 * SECOND_NS)
    assert refused(made, now_ms=begins_ms + 1000, walk=(ahead,)) == "receipt.future"


def test_headers_of_a_walk_follow_within_the_trusting_period(made: Notarised) -> None:
    assert refused(made, made.anchor.replace(trusting_period_ms=1000)) == "receipt.expired"


# bytes ----------------------------------------------------------------------------------------------------------------


def test_bytes_of_another_kind_are_refused(made: Notarised, kept: Kept) -> None:
    receipt, proof = codec.encode(made.receipt()), codec.encode(kept.proof("claim", "claims", CLAIM))
    assert code(verify_state, receipt, anchor=made.anchor) == "codec.shape"
    assert code(verify_cluster_receipt, proof, anchor=kept.anchor) == "codec.shape"
    for data in (b"", b"\x00", receipt[:-1], receipt + b"\x00", kept.shown("claims", CLAIM).proofs[0]):
        assert code(verify_cluster_receipt, data, anchor=made.anchor).startswith("codec.")


def test_a_receipt_that_is_too_long_is_refused(made: Notarised) -> None:
    long = made.receipt(shown=made.result.replace(data=bytes(LIMITS.receipt_bytes_max)))
    assert code(verify_cluster_receipt, codec.encode(long), anchor=made.anchor) == "codec.size"
