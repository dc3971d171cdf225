"""What a receipt costs its reader, of a solo notary and of clusters: bytes, and verifying it offline from an anchor.

The limit is the signatures alone that must be verified: one of a solo notary's, of a cluster's validators as many as
have more than two thirds of the power. All is made in memory with the code that makes it in the processes: the solo
receipt stands in a tree of so many acceptances, a cluster's in a block of so many results. A receipt of a header that
was verified a moment ago costs no signature; a proof of the state is one of few keys, `bench store` shows many.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nacl.bindings
from tests.support.chains import (
    SIGNERS,
    Kept,
    MadeChain,
    done_at,
    hashed,
    members,
    outcome,
    result_leaf,
    shown,
)

from benchmarks.common import microseconds, result
from interfirm.base import codec
from interfirm.base.logtree import Frontier
from interfirm.base.signatures import Ed25519Signer
from interfirm.base.time import Instant
from interfirm.ledger.receipts import chain, cose, light
from interfirm.ledger.receipts.chain import vote_bytes
from interfirm.ledger.receipts.cometbft import ClusterReceipt, verify_cluster_receipt, verify_state, without_known
from interfirm.ledger.receipts.types import NotaryAnchor
from interfirm.notary.cometbft.shown import result_with
from interfirm.notary.solo import receipts as solo
from interfirm.notary.types import Done

VALIDATORS = (1, 4, 7, 16)
BATCH = 256
"""Acceptances in one block."""
PAST = 1_000_000
"""Acceptances before, in a solo notary's tree."""
RATIO_MIN = 0.5


def run(*, quick: bool = False) -> dict[str, Any]:
    """The result, JSON-ready."""
    count = 3 if quick else 100
    figures, peers, ratios = _solo(count, past=1_000 if quick else PAST)
    for validators in VALIDATORS:
        _cluster(validators, count, figures, peers, ratios)
    figures |= _state(count)
    return result(
        "receipts", figures=figures, peers=peers, ratios=ratios,
        met=min(ratios["signatures_alone_solo"], ratios["signatures_alone_7_validators"]) >= RATIO_MIN,
        limited_by="the signatures of two thirds of the validators; beside them decoding, and 14 hashes of the header",
    )  # fmt: skip


_CACHES = (
    light.verify_adjacent, light.verify_skipping, cose._verify_root, chain._header_hash, chain._around_time,
)  # fmt: skip


def _forgetting(verify: Callable[[], Any]) -> Callable[[], Any]:
    """The same, when nothing was verified before."""

    def verify_anew() -> None:
        for cached in _CACHES:
            cached.cache_clear()
        verify()

    return verify_anew


Figures = dict[str, float]


def _solo(count: int, *, past: int) -> tuple[Figures, Figures, Figures]:
    signer = Ed25519Signer(hashed("notary"))
    anchor = NotaryAnchor(notary=hashed("id"), network=hashed("network"), key=signer.public)
    before = Frontier().extend(n.to_bytes(4, "big") for n in range(past))[0]
    accepted = [
        Done(id=hashed("t", n), height=7, time=Instant(1_700_000_000_000), registry_height=1) for n in range(BATCH)
    ]
    batch = solo.extend(before, accepted, signer, anchor)[1]
    receipt = solo.receipts_of(batch, before, accepted)[accepted[BATCH // 2].id]
    verify = _forgetting(lambda: cose.verify_receipt(receipt, anchor=anchor))
    alone = _signatures([(b"m" * 200, signer)], count)
    anew = microseconds(verify, count=count)
    again = microseconds(lambda: cose.verify_receipt(receipt, anchor=anchor), count=count)
    return (
        {"solo_bytes": len(receipt), "solo_us": anew, "solo_same_head_us": again},
        {"solo_signature_us": alone},
        {"signatures_alone_solo": alone / anew},
    )


def _cluster(validators: int, count: int, figures: Figures, peers: Figures, ratios: Figures) -> None:
    """A receipt of one envelope's result among others', over a gap from the chain's beginning."""
    transaction = hashed("a transaction")
    outcomes = [outcome(transaction if n == BATCH // 2 else hashed("t", n), height=8) for n in range(BATCH)]
    made = MadeChain(members(range(validators))).grown(7)
    made.grow(results=[result_leaf(each) for each in outcomes])
    block = light.lightened(made.anchor.trusted, made.grow())
    bare = ClusterReceipt(
        transaction=transaction, shown=result_with(transaction, [shown(each) for each in outcomes]),
        walk=without_known((block,), made.anchor.trusted),
    )  # fmt: skip
    receipt = codec.encode(bare)
    signed = [
        (vote_bytes(block.header, block.commit, vote.time_ns), SIGNERS[each.key])
        for each, vote in zip(block.validators, block.commit.votes, strict=True) if vote is not None
    ]  # fmt: skip
    alone = _signatures(signed, count)
    anew = microseconds(_forgetting(lambda: verify_cluster_receipt(receipt, anchor=made.anchor)), count=count)
    again = microseconds(lambda: verify_cluster_receipt(receipt, anchor=made.anchor), count=count)
    name = f"{validators}_validators"
    figures |= {f"{name}_bytes": len(receipt), f"{name}_us": anew, f"{name}_same_header_us": again}
    peers[f"{name}_{len(signed)}_signatures_us"] = alone
    ratios[f"signatures_alone_{name}"] = alone / anew


def _state(count: int) -> Figures:
    kept = Kept({("accepted", hashed("t", n)): codec.encode(done_at(hashed("t", n), 2)) for n in range(1_000)})
    receipt = codec.encode(kept.receipt(hashed("t", 7)))
    absent = codec.encode(kept.proof("accepted", "accepted", hashed("none")))
    return {
        "7_validators_from_state_bytes": len(receipt),
        "7_validators_from_state_us": microseconds(
            _forgetting(lambda: verify_cluster_receipt(receipt, anchor=kept.anchor)), count=count
        ),
        "7_validators_absence_bytes": len(absent),
        "7_validators_absence_us": microseconds(
            _forgetting(lambda: verify_state(absent, anchor=kept.anchor)), count=count
        ),
    }


def _signatures(signed: list[tuple[bytes, Ed25519Signer]], count: int) -> float:
    """Verifying these signatures and nothing else."""
    made = [(signer.sign(message) + message, signer.public.key) for message, signer in signed]

    def verify() -> None:
        for data, key in made:
            nacl.bindings.crypto_sign_open(data, key)

    return microseconds(verify, count=count)
