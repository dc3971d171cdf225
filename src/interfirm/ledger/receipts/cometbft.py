"""Receipts and proofs of a cluster: what a header of its chain commits to, and the way there from an anchor (pure).

A header commits to the results of the block before it, and to the state after that block. So a transaction's acceptance
is shown by the result of the envelope that brought it, or from the state, which remembers all acceptances; and what is
unspent, claimed or registered, by the state alone, dated by the notary's time, which the state keeps too.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import lt
from typing import Any

from interfirm.base import codec
from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.logtree import inclusion_root, leaf_hash
from interfirm.base.values import Hash32, Value, Wire
from interfirm.ledger.receipts.chain import Header, LightBlock, result_bytes, validators_hash
from interfirm.ledger.receipts.ics23 import verify_stored
from interfirm.ledger.receipts.light import Rules, check_current, check_not_ahead, verify_next
from interfirm.ledger.receipts.types import Accepted, ClusterAnchor, Count, Trusted, Validator

SPACES: Mapping[str, str] = {
    "unspent": "refs", "consumer": "refs", "claim": "claims", "imported": "imports", "accepted": "accepted",
    "key": "registry",
}  # fmt: skip
"""Where the state keeps what a question asks for; the question's subject is the key."""
TIME = ("meta", b"time")
"""Where it keeps the notary's time, in milliseconds since 1970."""


class Done(Wire, frozen=True, tag="done"):
    """A cluster's answer to a request that took effect: the id it is known by, and where (time in milliseconds)."""

    id: Hash32
    height: Count
    time: tuple[Count]
    registry_height: Count


class InResult(Wire, frozen=True, tag="result"):
    """The result of an envelope among those of its block: place, path to `last_results`, and the result itself."""

    index: Count
    count: Count
    path: tuple[Hash32, ...]
    code: Count
    gas_wanted: Count
    gas_used: Count
    data: bytes


class InState(Wire, frozen=True, tag="state"):
    """What the state holds at a key (None for nothing), and the two ICS-23 proofs of it."""

    value: bytes | None
    proofs: tuple[bytes, bytes]


class ClusterReceipt(Wire, frozen=True, tag="cluster-receipt"):
    """A cluster accepted a transaction: where that is shown, below the last header of a walk from a trust anchor."""

    transaction: Hash32
    shown: InResult | InState
    walk: tuple[LightBlock, ...]


class StateProof(Wire, frozen=True, tag="cluster-state"):
    """What the state of a cluster answers to a question, below the last header of a walk from a trust anchor.

    `time` shows the notary's time in the same state.
    """

    kind: str
    subject: bytes
    shown: InState
    time: InState
    walk: tuple[LightBlock, ...]


class Shown(Value, frozen=True):
    """A verified proof of the state: the question, the bytes at its subject, and the notary's height and time."""

    kind: str
    subject: bytes
    value: bytes | None
    height: int
    time_ms: int


def verify_cluster_receipt(receipt: bytes, *, anchor: ClusterAnchor, now_ms: int | None = None) -> Accepted:
    """What the cluster of `anchor` accepted, if this is a receipt of it.

    Raises Refusal `codec.*` for bytes that are no such receipt, `receipt.results` for a result that the header does
    not commit to, `receipt.outcome` for one that does not say that this transaction was accepted, `proof.*` for what
    is not in the state, and as `verify_walk`.
    """
    found = codec.decode(receipt, ClusterReceipt, bytes_max=LIMITS.receipt_bytes_max)
    header = verify_walk(found.walk, anchor=anchor, now_ms=now_ms)
    if isinstance(found.shown, InResult):
        _check_result(found.shown, header)
        done = done_in(found.shown.data, found.transaction)
    else:
        done = _done_in_state(found.shown, found.transaction, header)
    return Accepted(
        transaction=done.id, height=done.height, time_ms=done.time[0], registry_height=done.registry_height
    )  # fmt: skip


def verify_state(proof: bytes, *, anchor: ClusterAnchor, now_ms: int | None = None) -> Shown:
    """What the state of the cluster of `anchor` holds; raises as `verify_cluster_receipt`, and `receipt.question`."""
    found = codec.decode(proof, StateProof, bytes_max=LIMITS.receipt_bytes_max)
    check(found.kind in SPACES, "receipt.question", "no such question", kind=found.kind[:20], kinds=sorted(SPACES))
    header = verify_walk(found.walk, anchor=anchor, now_ms=now_ms)
    check_stored(found.shown, header, SPACES[found.kind], found.subject)
    check_stored(found.time, header, *TIME)
    return Shown(
        kind=found.kind, subject=found.subject, value=found.shown.value, height=header.height - 1,
        time_ms=codec.decode(found.time.value or b"", int),
    )  # fmt: skip


def rules_of(anchor: ClusterAnchor) -> Rules:
    """What the headers of an anchor's chain are judged by."""
    return Rules(chain_id=anchor.chain_id, trusting_period_ms=anchor.trusting_period_ms)


def verify_walk(walk: tuple[LightBlock, ...], *, anchor: ClusterAnchor, now_ms: int | None = None) -> Header:
    """The last header of a walk, believed from the anchor; raises as `carry`."""
    carry(walk, anchor=anchor, now_ms=now_ms)
    return walk[-1].header


def carry(walk: tuple[LightBlock, ...], *, anchor: ClusterAnchor, now_ms: int | None = None) -> Trusted:
    """Trust carried from the anchor to the last header of a walk; blocks that the anchor is ahead of are passed over.

    Every header must be made within the trusting period of the one before. With a clock (`now_ms`) the anchor must
    also be within it now, and no header may be of a time to come. Raises Refusal `receipt.walk` for too many blocks
    or none, or where heights do not ascend, `receipt.behind` where the anchor is ahead of all, `receipt.conflict` for
    another header than the anchor's own, `receipt.future`, `receipt.expired`, and as `light.verify_next`.
    """
    _check_ascending([block.header.height for block in walk])
    rules, trusted = rules_of(anchor), anchor.trusted
    if now_ms is not None:
        check_current(trusted, now_ms=now_ms, rules=rules)
    sets = {validators_hash(trusted.validators): trusted.validators}
    for block in walk:
        if block.validators:
            sets[validators_hash(block.validators)] = block.validators
        if now_ms is not None:
            check_not_ahead(block.header, now_ms=now_ms)
        if block.header.height > trusted.height:
            trusted = verify_next(trusted, _with_validators(block, sets), rules=rules)
    _check_arrived(walk[-1].header, trusted)
    return trusted


def _check_ascending(heights: list[int]) -> None:
    count = len(heights)
    check(0 < count <= LIMITS.receipt_walk_count_max, "receipt.walk", "a walk has some headers, not too many",
          count=count, count_max=LIMITS.receipt_walk_count_max)  # fmt: skip
    check(all(map(lt, heights, heights[1:])), "receipt.walk", "the heights of a walk ascend", heights=heights)


def _check_arrived(last: Header, trusted: Trusted) -> None:
    check(last.height == trusted.height, "receipt.behind", "the trust anchor is ahead of this; ask the cluster anew",
          height=last.height, trusted=trusted.height)  # fmt: skip
    check(last.hash == trusted.hash, "receipt.conflict", "another header than the trusted one of this height",
          height=last.height, expected=trusted.hash, found=last.hash)  # fmt: skip


def _with_validators(block: LightBlock, sets: dict[bytes, tuple[Validator, ...]]) -> LightBlock:
    """The block with its validators, which may have been shown before."""
    if block.validators:
        return block
    known = sets.get(block.header.validators)
    if known is None:
        raise Refusal("receipt.validators", "validators that were not shown", height=block.header.height)
    return block.replace(validators=known)


def without_known(walk: tuple[LightBlock, ...], trusted: Trusted) -> tuple[LightBlock, ...]:
    """The walk with each set of validators shown once, and those of the anchor not at all."""
    known, found = {validators_hash(trusted.validators)}, []
    for block in walk:
        found.append(block.replace(validators=()) if block.header.validators in known else block)
        known.add(block.header.validators)
    return tuple(found)


def check_committed(shown: InResult, header: Header) -> None:
    """Refuse (`receipt.results`) a result, whatever it says, that the header does not commit to."""
    leaf = result_bytes(code=shown.code, data=shown.data, gas_wanted=shown.gas_wanted, gas_used=shown.gas_used)
    root = inclusion_root(leaf_hash(leaf), index=shown.index, size=shown.count, path=shown.path)
    check(root == header.last_results, "receipt.results", "the header does not commit to this result",
          height=header.height, expected=header.last_results, found=root)  # fmt: skip


def _check_result(shown: InResult, header: Header) -> None:
    check_committed(shown, header)
    check(shown.code == 0, "receipt.outcome", "the envelope was refused", result=shown.code)


def done_in(data: bytes, transaction: bytes) -> Done:
    """The answer in a block of outcomes that accepted this transaction; Refusal `receipt.outcome`, `codec.*`.

    The block is `[[answer, ...], refusal]`; ids of different kinds of things never coincide, so an answer with this id
    is one to a request for it.
    """
    plain = codec.decode_plain(data)
    answers: list[Any] = plain[0] if isinstance(plain, list) and len(plain) == 2 and isinstance(plain[0], list) else []
    for answer in answers:
        if isinstance(answer, list) and answer[:2] == ["done", transaction]:
            return codec.from_plain(answer, Done)
    raise Refusal("receipt.outcome", "the outcome does not say that this was accepted", transaction=transaction)


def _done_in_state(shown: InState, transaction: bytes, header: Header) -> Done:
    check_stored(shown, header, SPACES["accepted"], transaction)
    if shown.value is None:
        raise Refusal("receipt.outcome", "the state does not say that this was accepted", transaction=transaction)
    done = codec.decode(shown.value, Done)
    check(done.id == transaction, "receipt.outcome", "the state remembers another id here", found=done.id)
    return done


def check_stored(shown: InState, header: Header, space: str, key: bytes) -> None:
    """Refuse (`proof.*`) what the state that the header commits to does not hold at a key of any space."""
    verify_stored(shown.proofs, root=header.application, space=space, key=key, value=shown.value)
