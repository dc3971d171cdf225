"""What a notary's word is taken by, as voters decide about it, and what is kept of it (spec clause 11)."""

from __future__ import annotations

from typing import Annotated

import msgspec

from interfirm.base.signatures import PublicKey
from interfirm.base.values import Hash32, Wire
from interfirm.ledger.receipts.chain import LightBlock, MaybeHash
from interfirm.ledger.receipts.types import Count, Validator

ChainName = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]


class SoloNeighbour(Wire, frozen=True, tag="solo"):
    """A solo notary, believed by the key that it signs with."""

    notary: Hash32
    network: Hash32
    key: PublicKey


class TrustedHeader(Wire, frozen=True):
    """A header of a chain that is believed (`ledger.receipts.types.Trusted`), whose time in nanoseconds is known.

    Height 0, with an empty hash, stands for what the chain began with.
    """

    height: Count
    hash: MaybeHash
    time_ns: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]
    validators: tuple[Validator, ...]
    next_validators: Hash32


class ClusterNeighbour(Wire, frozen=True, tag="cluster"):
    """A cluster, believed by the headers of its chain that follow from a trusted one.

    `trusting_period_ms` is how long a header vouches for later ones.
    """

    notary: Hash32
    network: Hash32
    chain_id: ChainName
    trusted: TrustedHeader
    trusting_period_ms: Annotated[int, msgspec.Meta(ge=1, le=2**53)]


Neighbour = SoloNeighbour | ClusterNeighbour


class Kept(Wire, frozen=True):
    """What was decided about a notary: by what it is believed (None: it was forgotten), by which proposal, when.

    `renewed` are later headers of a cluster, in ascending order, which anybody showed to follow from its trusted one.
    """

    notary: Hash32
    neighbour: Neighbour | None
    proposal: Hash32
    height: Count
    renewed: tuple[TrustedHeader, ...] = ()


class Renew(Wire, frozen=True, tag="renew"):
    """Carry trust in a cluster on: headers of its chain, from the last one that is trusted here to a later one."""

    notary: Hash32
    walk: tuple[LightBlock, ...]
