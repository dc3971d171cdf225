"""Double signing: the proof is checked, and who is convicted loses votes and bond, or is not believed any more.

What convicts a validator takes effect at once. A notary that signed two histories, solo or a cluster, is no validator
here: its words are refused from then on, and what a solo one's keeper has paid in is burned.
"""

from __future__ import annotations

from interfirm.base import codec, signatures
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.signatures import PublicKey, Scheme
from interfirm.base.values import Wire
from interfirm.ledger.receipts.cometbft import carry
from interfirm.ledger.receipts.cose import verify_tree_head
from interfirm.ledger.receipts.protobuf import (
    bytes_field,
    fixed64_field,
    framed,
    message_field,
    number_field,
    timestamp,
)
from interfirm.ledger.receipts.types import Anchor, ClusterAnchor, NotaryAnchor
from interfirm.notary.evidence.types import Accuse, Misconduct, SignedBlock, TwoBlocks, TwoHeads, TwoVotes
from interfirm.notary.fees import machine as fees
from interfirm.notary.governance.types import Founding
from interfirm.notary.neighbours import machine as neighbours
from interfirm.notary.state import EVIDENCE, REGISTRY, Overlay
from interfirm.notary.types import Genesis, Store
from interfirm.notary.validators import machine as validators

VOTES, HEADS, BLOCKS = "two-votes", "two-heads", "two-blocks"


class Conviction(Wire, frozen=True):
    """What was proved of whom: a validator's key or a notary's id, and the height at which it was punished."""

    kind: str
    accused: bytes
    height: int
    burned: int


def accusation_id(request: Accuse) -> bytes:
    """The id of an accusation, whichever way round its two halves are."""
    evidence = request.evidence
    if isinstance(evidence, TwoHeads):
        return digest(HEADS, evidence.genesis, sorted((evidence.first, evidence.second)))
    if isinstance(evidence, TwoBlocks):
        return digest(BLOCKS, evidence.notary, sorted((evidence.first.header.hash, evidence.second.header.hash)))
    halves = sorted((codec.encode(evidence.first), codec.encode(evidence.second)))
    return digest(VOTES, evidence.key, evidence.kind, evidence.height, evidence.round, halves)


def accuse(
    request: Accuse, state: Overlay, founding: Founding, height: int, *, now_ms: int | None
) -> tuple[bytes, bytes | None]:  # fmt: skip
    """Judge an accusation; its id, and the operator who loses a validator by it. Again is harmless.

    `now_ms` is the block's time, by which clusters' headers count. Refusal `evidence.votes`, `evidence.heads`,
    `evidence.blocks`, `evidence.unknown`, `signature.invalid`, and as `verify_tree_head` and `light.verify_next`.
    """
    name = accusation_id(request)
    if state.get(EVIDENCE, name) is not None:
        return name, None
    evidence = request.evidence
    if isinstance(evidence, TwoHeads):
        _convict_notary(evidence, name, state, height)
        return name, None
    if isinstance(evidence, TwoBlocks):
        _convict_cluster(evidence, name, state, height, now_ms)
        return name, None
    _check_votes(evidence, founding.chain)
    punished = validators.punish(validators.address_of(evidence.key), state)
    if punished is None:
        raise Refusal("evidence.unknown", "the key is no validator's here", key=evidence.key)
    _keep(name, Conviction(kind=VOTES, accused=evidence.key, height=height, burned=punished.bond), state)
    return name, punished.operator


def convict(misconduct: Misconduct, state: Overlay, height: int) -> bytes | None:
    """What the engine has proved takes effect; the operator who loses a validator by it, if it was still known."""
    punished = validators.punish(misconduct.address, state)
    if punished is None:
        return None
    name = digest("misconduct", misconduct.address, misconduct.kind, misconduct.height)
    _keep(name, Conviction(kind=misconduct.kind, accused=punished.key, height=height, burned=punished.bond), state)
    return punished.operator


def _check_votes(evidence: TwoVotes, chain: str) -> None:
    first, second = evidence.first, evidence.second
    if (first.hash, first.parts_count, first.parts_hash) == (second.hash, second.parts_count, second.parts_hash):
        raise Refusal("evidence.votes", "both votes are for the same block", height=evidence.height)
    key = PublicKey(scheme=Scheme.ED25519, key=evidence.key)
    for vote in (first, second):
        signatures.verify(key, vote_bytes(evidence, vote, chain), vote.signature)


def vote_bytes(evidence: TwoVotes, vote: SignedBlock, chain: str) -> bytes:
    """What the validator signed (CometBFT's CanonicalVote, its length before it); a vote for nothing names none."""
    parts = number_field(1, vote.parts_count) + bytes_field(2, vote.parts_hash)
    block = message_field(4, bytes_field(1, vote.hash) + message_field(2, parts)) if vote.hash else b""
    return framed(
        number_field(1, evidence.kind) + fixed64_field(2, evidence.height) + fixed64_field(3, evidence.round)
        + block + message_field(5, timestamp(vote.time_ns)) + bytes_field(6, chain.encode())
    )  # fmt: skip


def _convict_notary(evidence: TwoHeads, name: bytes, state: Overlay, height: int) -> None:
    genesis = codec.decode(evidence.genesis, Genesis)
    notary = digest("notary", codec.plain(genesis))
    anchor = NotaryAnchor(notary=notary, network=genesis.network, key=genesis.key)
    first, second = (verify_tree_head(head, anchor=anchor) for head in (evidence.first, evidence.second))
    if first.size != second.size or first.root == second.root:
        raise Refusal("evidence.heads", "the two heads do not exclude each other", sizes=[first.size, second.size])
    keeper = genesis.key.identity
    if neighbours.kept_of(notary, state) is None and state.get(REGISTRY, keeper) is None:
        raise Refusal("evidence.unknown", "nobody here takes this notary's word", notary=notary)
    burned = fees.account_of(keeper, state)
    fees.take(keeper, burned, state)
    fees.burn(burned, state)
    conviction = Conviction(kind=HEADS, accused=notary, height=height, burned=burned)
    _keep(name, conviction, state)
    _keep(notary, conviction, state)


def _convict_cluster(evidence: TwoBlocks, name: bytes, state: Overlay, height: int, now_ms: int | None) -> None:
    first, second = evidence.first, evidence.second
    if first.header.height != second.header.height or first.header.hash == second.header.hash:
        raise Refusal("evidence.blocks", "the two blocks do not exclude each other", height=first.header.height)
    kept = neighbours.kept_of(evidence.notary, state)
    if kept is None:
        raise Refusal("evidence.unknown", "nobody here takes this notary's word", notary=evidence.notary)

    def check(anchor: Anchor) -> None:
        if not isinstance(anchor, ClusterAnchor):
            raise Refusal("evidence.blocks", "a solo notary signs no blocks", notary=evidence.notary)
        for block in (first, second):
            carry((*evidence.walk, block), anchor=anchor, now_ms=now_ms)

    neighbours.believing(kept, check)
    conviction = Conviction(kind=BLOCKS, accused=evidence.notary, height=height, burned=0)
    _keep(name, conviction, state)
    _keep(evidence.notary, conviction, state)


def _keep(name: bytes, conviction: Conviction, state: Overlay) -> None:
    state.put(EVIDENCE, name, codec.encode(conviction))


def conviction_of(name: bytes, state: Store) -> Conviction | None:
    """What was proved under an accusation's id, or of a notary."""
    value = state.get(EVIDENCE, name)
    return None if value is None else codec.decode(value, Conviction)


def check_honest(notary: bytes, state: Store) -> None:
    """Refuse (`notary.two-faced`) a notary that was convicted."""
    if state.get(EVIDENCE, notary) is not None:
        raise Refusal("notary.two-faced", "this notary signed two histories", notary=notary)
