"""Vectors of clause 10 of docs/spec/ledger.md: a chain's hashes and signatures, receipts, state proofs, refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.support.chains import KEYS, Kept, Notarised, done_at, hashed, members, sign

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.ledger.receipts.chain import LightBlock, address, validators_hash, vote_bytes
from interfirm.ledger.receipts.cometbft import ClusterReceipt, StateProof, verify_cluster_receipt, verify_state
from interfirm.ledger.receipts.types import ClusterAnchor

CLAIM, FREE, KEPT = hashed("a claim"), hashed("a free claim"), hashed("a transaction in the state")


def cluster() -> dict[str, Any]:
    """All of clause 10."""
    plain = Notarised()
    changed = Notarised(members(range(4)), then=[members(range(1, 6)), members(range(4, 9))])
    kept = Kept({
        ("claims", CLAIM): codec.encode(["taken", KEPT]), ("accepted", KEPT): codec.encode(done_at(KEPT, 2)),
    })  # fmt: skip
    return {
        "blocks": [_block(plain.chain.at(height)) for height in (1, plain.header_height)],
        "anchors": {"plain": _anchor(plain.anchor), "changed": _anchor(changed.anchor), "kept": _anchor(kept.anchor)},
        "receipts": [
            _receipt("by a result, over a gap", "plain", plain.receipt(), plain.anchor),
            _receipt("by a result, over two changes of validators", "changed", changed.receipt(2, 3), changed.anchor),
            _receipt("by the state", "kept", kept.receipt(KEPT), kept.anchor),
        ],
        "states": [
            _state("what is there", kept.proof("claim", "claims", CLAIM), kept.anchor),
            _state("what is not there", kept.proof("claim", "claims", FREE), kept.anchor),
        ],
        "refused": _refused(plain, changed, kept),
    }


def _block(block: LightBlock) -> dict[str, Any]:
    header, first = block.header, block.commit.votes[0]
    assert first is not None, "everybody signs"
    return {
        "header_cbor": codec.encode(header), "header_hash": header.hash, "commit_cbor": codec.encode(block.commit),
        "validators_cbor": codec.encode(block.validators), "validators_hash": validators_hash(block.validators),
        "addresses": [address(each.key) for each in block.validators],
        "first_vote_signs": vote_bytes(header, block.commit, first.time_ns), "first_vote_signature": first.signature,
    }  # fmt: skip


def _anchor(anchor: ClusterAnchor) -> dict[str, Any]:
    trusted = anchor.trusted
    return {
        "network": anchor.network, "notary": anchor.notary, "chain_id": anchor.chain_id,
        "trusting_period_ms": anchor.trusting_period_ms, "height": trusted.height, "hash": trusted.hash,
        "time_ns": trusted.time_ns, "validators_cbor": codec.encode(trusted.validators),
        "next_validators": trusted.next_validators,
    }  # fmt: skip


def _receipt(what: str, anchor_name: str, receipt: ClusterReceipt, anchor: ClusterAnchor) -> dict[str, Any]:
    data = codec.encode(receipt)
    accepted = verify_cluster_receipt(data, anchor=anchor)
    return {
        "what": what, "anchor": anchor_name, "receipt_cbor": data, "id": accepted.transaction,
        "height": accepted.height, "time_ms": accepted.time_ms, "registry_height": accepted.registry_height,
    }  # fmt: skip


def _state(what: str, proof: StateProof, anchor: ClusterAnchor) -> dict[str, Any]:
    data = codec.encode(proof)
    shown = verify_state(data, anchor=anchor)
    return {
        "what": what, "anchor": "kept", "proof_cbor": data, "kind": shown.kind, "subject": shown.subject,
        "value": shown.value, "height": shown.height, "time_ms": shown.time_ms,
    }  # fmt: skip


def _refused(plain: Notarised, changed: Notarised, kept: Kept) -> list[dict[str, Any]]:
    last, result = plain.chain.at(plain.header_height), plain.result
    proof, free = kept.proof("claim", "claims", CLAIM), kept.proof("claim", "claims", FREE)
    weak = sign(last.header, last.validators, signers=KEYS[:4])
    other_chain = sign(last.header.replace(chain_id="n-other"), last.validators)
    changed_header = last.replace(header=last.header.replace(last_results=hashed("other results")))
    without = changed.receipt()
    receipts: list[tuple[str, str, Notarised, ClusterReceipt]] = [
        ("another place among the results", "plain", plain, plain.receipt(shown=result.replace(index=1))),
        ("another code than was committed to", "plain", plain, plain.receipt(shown=result.replace(code=1))),
        ("the receipt of one id for another", "plain", plain, plain.receipt(transaction=hashed("another"))),
        ("four of seven signed", "plain", plain, plain.receipt(walk=(weak,))),
        ("a header of another chain", "plain", plain, plain.receipt(walk=(other_chain,))),
        ("a header that nobody signed", "plain", plain, plain.receipt(walk=(changed_header,))),
        ("no header", "plain", plain, plain.receipt(walk=())),
        ("a header twice", "plain", plain, plain.receipt(walk=(last, last))),
        ("validators that were not shown", "changed", changed,
         without.replace(walk=tuple(block.replace(validators=()) for block in without.walk))),
        ("too few of the trusted validators signed", "changed", changed, changed.receipt(walk=changed.receipt().walk)),
    ]  # fmt: skip
    states = [
        ("a value that is not the one stored", proof.replace(shown=proof.shown.replace(value=b"\x01"))),
        ("what is there as absent", proof.replace(shown=proof.shown.replace(value=None))),
        ("what is absent as there", free.replace(shown=free.shown.replace(value=b"\x01"))),
        ("a proof of another key", free.replace(subject=CLAIM)),
        ("another space", proof.replace(kind="key")),
        ("no such question", proof.replace(kind="weather")),
        ("another time", proof.replace(time=proof.time.replace(value=codec.encode(1)))),
        ("a header before the state", proof.replace(walk=(kept.chain.at(kept.height),))),
    ]
    return [
        *(_refusal(what, name, codec.encode(each), verify_cluster_receipt, made.anchor)
          for what, name, made, each in receipts),
        *(_refusal(what, "kept", codec.encode(each), verify_state, kept.anchor) for what, each in states),
    ]  # fmt: skip


def _refusal(what: str, name: str, data: bytes, verify: Callable[..., Any], anchor: ClusterAnchor) -> dict[str, Any]:
    try:
        verify(data, anchor=anchor)
    except Refusal as refusal:
        return {"what": what, "anchor": name, "bytes_cbor": data, "code": refusal.code}
    raise AssertionError(f"{what} is believed")
