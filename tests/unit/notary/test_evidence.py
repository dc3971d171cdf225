"""Evidence of double signing: what convicts, what does not, and what follows from it."""

from __future__ import annotations

from typing import Any

import pytest

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.signatures import Ed25519Signer
from interfirm.ledger.receipts import cose
from interfirm.notary.abroad import Believing
from interfirm.notary.evidence.machine import Conviction, vote_bytes
from interfirm.notary.evidence.types import Accuse, SignedBlock, TwoHeads, TwoVotes
from interfirm.notary.governance.types import Deposit, RemoveValidator
from interfirm.notary.types import Genesis

from .councils import KEYS, MACHINES, Council
from .notaries import NETWORK, REGISTRAR, A, B, Org, Words

EMPTY = SignedBlock(hash=b"", parts_count=0, parts_hash=b"", time_ns=5, signature=b"")


@pytest.fixture
def council() -> Council:
    council = Council(deposits=(Deposit(organisation=A.id, units=40),))
    council.block()
    return council


def block(name: str) -> SignedBlock:
    return SignedBlock(
        hash=digest("block", name), parts_count=1, parts_hash=digest("parts", name), time_ns=7, signature=b""
    )


def two_votes(
    council: Council, first: SignedBlock, second: SignedBlock, *, by: Ed25519Signer = MACHINES[0], **changes: Any
) -> Accuse:
    """Two votes as a validator signs them."""
    options: dict[str, Any] = {"key": by.public.key, "kind": 2, "height": 9, "round": 1} | changes
    bare = TwoVotes(first=first, second=second, **options)
    signed = [each.replace(signature=by.sign(vote_bytes(bare, each, council.chain))) for each in (first, second)]
    return Accuse(evidence=bare.replace(first=signed[0], second=signed[1]))


def test_two_votes_for_different_blocks_remove_a_validator(council: Council) -> None:
    done = council.done(two_votes(council, block("a"), block("b")))
    assert council.last is not None
    assert council.last.validators == ((KEYS[0], 0),)
    found = codec.from_plain(council.says("conviction", done.id).answer, Conviction)
    assert (found.kind, found.accused) == ("two-votes", KEYS[0])
    assert council.refused(council.proposal(RemoveValidator(key=KEYS[1]), by=A)).code == "governance.voter"


def test_a_vote_for_a_block_and_one_for_none_exclude_each_other(council: Council) -> None:
    council.done(two_votes(council, block("a"), EMPTY))


def test_the_same_proof_either_way_round_counts_once(council: Council) -> None:
    first = council.done(two_votes(council, block("a"), block("b")))
    assert council.done(two_votes(council, block("b"), block("a"))).id == first.id


def test_two_votes_for_one_block_prove_nothing(council: Council) -> None:
    accusation = two_votes(council, block("a"), block("a").replace(time_ns=8))
    assert council.refused(accusation).code == "evidence.votes"


def test_votes_that_another_signed_prove_nothing(council: Council) -> None:
    evidence = two_votes(council, block("a"), block("b"), by=MACHINES[1]).evidence
    assert council.refused(Accuse(evidence=evidence.replace(key=KEYS[0]))).code == "signature.invalid"


@pytest.mark.parametrize("changed", [{"height": 10}, {"round": 2}, {"kind": 1}])
def test_votes_of_different_rounds_prove_nothing(council: Council, changed: dict[str, int]) -> None:
    first = two_votes(council, block("a"), block("b")).evidence
    other = two_votes(council, block("a"), block("b"), **changed).evidence
    assert isinstance(first, TwoVotes)
    assert isinstance(other, TwoVotes)
    mixed = Accuse(evidence=first.replace(second=other.second))
    assert council.refused(mixed).code == "signature.invalid"


def test_votes_on_another_chain_prove_nothing(council: Council) -> None:
    assert council.refused(two_votes(Council("another"), block("a"), block("b"))).code == "signature.invalid"


def test_a_key_that_is_no_validators_is_not_punished(council: Council) -> None:
    stranger = Ed25519Signer(digest("a stranger's machine"))
    accusation = two_votes(council, block("a"), block("b"), by=stranger)
    assert council.refused(accusation).code == "evidence.unknown"


# a solo notary that signed two histories ---------------------------------------------------------------------------


def two_heads(keeper: Org, *, roots: tuple[str, str] = ("a", "b"), sizes: tuple[int, int] = (3, 3)) -> Accuse:
    genesis = Genesis(network=NETWORK, registrar=REGISTRAR.public, key=keeper.signer.public, label="two-faced")
    notary = digest("notary", codec.plain(genesis))
    heads = [
        cose.sign_tree_head(keeper.signer, digest("root", root), tree_size=size, network=NETWORK, notary=notary)
        for root, size in zip(roots, sizes, strict=True)
    ]
    return Accuse(evidence=TwoHeads(genesis=codec.encode(genesis), first=heads[0], second=heads[1]))


def test_a_notary_that_signed_two_histories_is_not_believed_any_more(council: Council) -> None:
    council.done(A.registration(council.id))
    done = council.done(two_heads(A))
    assert council.balance(A) == 0
    found = codec.from_plain(council.says("conviction", done.id).answer, Conviction)
    assert (found.kind, found.burned) == ("two-heads", 40)
    abroad = Believing(Words(), council, now_ms=None)
    for ask in (abroad.receipt, abroad.statement):
        with pytest.raises(Refusal) as refusal:
            ask(found.accused, b"")
        assert refusal.value.code == "notary.two-faced"
        with pytest.raises(Refusal) as refusal:
            ask(digest("an honest one"), b"")
        assert refusal.value.code != "notary.two-faced"
    assert council.done(two_heads(A, roots=("b", "a"))).id == done.id


def test_heads_of_two_sizes_or_one_root_prove_nothing(council: Council) -> None:
    council.done(A.registration(council.id))
    assert council.refused(two_heads(A, sizes=(3, 4))).code == "evidence.heads"
    assert council.refused(two_heads(A, roots=("a", "a"))).code == "evidence.heads"


def test_a_notary_that_nobody_relies_on_is_not_kept_in_mind(council: Council) -> None:
    assert council.refused(two_heads(B)).code == "evidence.unknown"
