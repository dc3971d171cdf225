"""Headers, commits and validators of a chain of blocks, and the bytes that its engine hashes and signs (CometBFT).

A light block is what a verifier sees of a block: the header, who signed it, and the validators of its height. What
follows from the rest (the header's own hash, addresses, heights of votes) is not carried, so it cannot disagree.
Source: CometBFT's data structures and encoding (spec/core), v0.38.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Annotated

import msgspec

from interfirm.base.errors import check
from interfirm.base.limits import LIMITS
from interfirm.base.logtree import Frontier
from interfirm.base.values import Hash32, Wire
from interfirm.ledger.receipts.protobuf import (
    bytes_field,
    fixed64_field,
    framed,
    message_field,
    number_field,
    timestamp,
)
from interfirm.ledger.receipts.types import Count, Validator

MaybeHash = Annotated[bytes, msgspec.Meta(max_length=64)]
"""A hash, or nothing where there is nothing to hash yet; an application's root may have another length than 32."""
Signed = Annotated[bytes, msgspec.Meta(min_length=64, max_length=64)]
_PRECOMMIT = 2
_ADDRESS_BYTES = 20


class BlockId(Wire, frozen=True):
    """A block by the hash of its header, and of the parts that it travels in."""

    hash: MaybeHash
    parts_count: Count
    parts_hash: MaybeHash


class Header(Wire, frozen=True):
    """A block's header: 14 fields, of which `hash` is the root. Times are nanoseconds since 1970."""

    version_block: Count
    version_application: Count
    chain_id: str
    height: Count
    time_ns: Count
    last_block: BlockId
    last_commit: MaybeHash
    data: MaybeHash
    validators: Hash32
    next_validators: Hash32
    consensus: MaybeHash
    application: MaybeHash
    last_results: MaybeHash
    evidence: MaybeHash
    proposer: Annotated[bytes, msgspec.Meta(max_length=_ADDRESS_BYTES)]

    @property
    def hash(self) -> bytes:
        """The 32-byte hash that the validators sign."""
        return _header_hash(self)


class Vote(Wire, frozen=True):
    """One validator's signature, and the time that it signed at."""

    time_ns: Count
    signature: Signed


class Commit(Wire, frozen=True):
    """Who signed a block: a vote or None for each validator, in the order of the set.

    Votes that nothing needs may be left out; votes for no block always are.
    """

    round: Count
    parts_count: Count
    parts_hash: Hash32
    votes: tuple[Vote | None, ...]


class LightBlock(Wire, frozen=True):
    """A header with its commit and the validators of its height, in the order of the set.

    `validators` may be left empty in a walk, where their set was shown before.
    """

    header: Header
    commit: Commit
    validators: tuple[Validator, ...] = ()


def _block_id(block: BlockId) -> bytes:
    parts = number_field(1, block.parts_count) + bytes_field(2, block.parts_hash)
    return bytes_field(1, block.hash) + message_field(2, parts)


@lru_cache(maxsize=256)
def _header_hash(header: Header) -> bytes:
    version = number_field(1, header.version_block) + number_field(2, header.version_application)
    hashes = (
        header.last_commit, header.data, header.validators, header.next_validators, header.consensus,
        header.application, header.last_results, header.evidence, header.proposer,
    )  # fmt: skip
    fields = [
        version, bytes_field(1, header.chain_id.encode()), number_field(1, header.height), timestamp(header.time_ns),
        _block_id(header.last_block), *(bytes_field(1, each) for each in hashes),
    ]  # fmt: skip
    return merkle_root(fields)


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """The root of leaves in CometBFT's simple tree, which is that of RFC 9162 (2.1.1)."""
    return Frontier().extend(leaves)[0].root


def vote_bytes(header: Header, commit: Commit, time_ns: int) -> bytes:
    """What a validator signs with a precommit for this block (CanonicalVote, with its length before it)."""
    before, after = _around_time(
        header.hash, header.height, header.chain_id, commit.round, commit.parts_count, commit.parts_hash
    )
    return framed(before + message_field(5, timestamp(time_ns)) + after)


@lru_cache(maxsize=64)
def _around_time(
    hash_: bytes, height: int, chain_id: str, round_: int, parts_count: int, parts_hash: bytes
) -> tuple[bytes, bytes]:
    """All of a vote but its time, which alone differs among the votes of a commit."""
    parts = number_field(1, parts_count) + bytes_field(2, parts_hash)
    block = bytes_field(1, hash_) + message_field(2, parts)
    before = (
        number_field(1, _PRECOMMIT) + fixed64_field(2, height) + fixed64_field(3, round_) + message_field(4, block)
    )  # fmt: skip
    return before, bytes_field(6, chain_id.encode())


def result_bytes(*, code: int, data: bytes, gas_wanted: int, gas_used: int) -> bytes:
    """What a chain commits to of a transaction's result: the leaf below the next header's `last_results`."""
    gas = number_field(5, gas_wanted) + number_field(6, gas_used)
    return number_field(1, code) + bytes_field(2, data) + gas


@lru_cache(maxsize=64)
def validators_hash(validators: tuple[Validator, ...]) -> bytes:
    """The hash of a set of Ed25519 validators in its order.

    Raises Refusal `receipt.validators` for an empty set, one that is too large, or a key that stands in it twice.
    """
    count = len(validators)
    fits = 0 < count <= LIMITS.validators_count_max and len({each.key for each in validators}) == count
    check(fits, "receipt.validators", "this is no set of validators", count=count,
          count_max=LIMITS.validators_count_max)  # fmt: skip
    return merkle_root([
        message_field(1, bytes_field(1, each.key)) + number_field(2, each.power) for each in validators
    ])  # fmt: skip


def in_order(validators: Sequence[Validator]) -> tuple[Validator, ...]:
    """Validators in the order of a set: by power, the highest first, then by address."""
    return tuple(sorted(validators, key=lambda each: (-each.power, address(each.key))))


def address(key: bytes) -> bytes:
    """The 20-byte address of an Ed25519 key, by which the engine names a validator."""
    return sha256(key).digest()[:_ADDRESS_BYTES]
