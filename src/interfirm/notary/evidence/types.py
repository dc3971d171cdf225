"""Proofs that somebody signed two things that exclude each other."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from interfirm.base.values import Hash32, Value, Wire
from interfirm.ledger.receipts.chain import LightBlock

PREVOTE, PRECOMMIT = 1, 2
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
MaybeHash = Annotated[bytes, msgspec.Meta(max_length=32)]


class SignedBlock(Wire, frozen=True):
    """What a validator voted for, and when in nanoseconds since 1970; a vote for no block has empty hashes."""

    hash: MaybeHash
    parts_count: Count
    parts_hash: MaybeHash
    time_ns: Count
    signature: bytes


class TwoVotes(Wire, frozen=True, tag="two-votes"):
    """A validator's two votes of one kind for different blocks, in one round of one height."""

    key: Hash32
    kind: Literal[1, 2]
    height: Count
    round: Count
    first: SignedBlock
    second: SignedBlock


class TwoHeads(Wire, frozen=True, tag="two-heads"):
    """Two tree heads of one size with different roots, signed by the solo notary whose genesis this block is."""

    genesis: bytes
    first: bytes
    second: bytes


class TwoBlocks(Wire, frozen=True, tag="two-blocks"):
    """Two signed blocks of one height of a cluster's chain, both believed from a header that is trusted here.

    `walk` leads from that header to the last one before them; it may be empty.
    """

    notary: Hash32
    walk: tuple[LightBlock, ...]
    first: LightBlock
    second: LightBlock


class Accuse(Wire, frozen=True, tag="accuse"):
    """Show a proof of double signing; whoever it convicts loses its votes and its bond."""

    evidence: TwoVotes | TwoHeads | TwoBlocks


class Misconduct(Value, frozen=True):
    """What the engine says that a validator did: its address of 20 bytes, at a height."""

    address: bytes
    kind: str
    height: int
