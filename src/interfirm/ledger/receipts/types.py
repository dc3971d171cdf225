"""What a receipt says, and what its reader trusts beforehand."""

from __future__ import annotations

from typing import Annotated

import msgspec

from interfirm.base.signatures import PublicKey
from interfirm.base.values import Value, Wire

Hash = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Power = Annotated[int, msgspec.Meta(ge=1, le=2**60 // 8)]
"""Votes of one validator; an engine refuses sets of more than an eighth of what 64 bits hold."""


class Accepted(Wire, frozen=True, tag="accepted"):
    """A notary accepted this transaction: nothing about validity, nothing about being unspent now.

    `transaction` is its 32-byte id, `height` the notary's height, `time_ms` the notary's time of acceptance in
    milliseconds since 1970, `registry_height` the height of the registry whose keys judged the signatures.
    """

    transaction: Hash
    height: Count
    time_ms: Count
    registry_height: Count


class NotaryAnchor(Value, frozen=True, tag_field="kind", tag="solo"):
    """What a verifier trusts: the notary's and the network's 32-byte ids, and the key the notary signs with."""

    notary: bytes
    network: bytes
    key: PublicKey


class Validator(Wire, frozen=True):
    """One machine of a cluster: its Ed25519 key as the engine has it, and its voting power."""

    key: Hash
    power: Power


class Trusted(Value, frozen=True):
    """One header of a chain that is believed: height, hash, time in ns, its validators, and the hash of the next ones.

    Height 0 stands for what the chain began with: the validators alone, without a header (hash empty); time 0 where it
    is not known.
    """

    height: Count
    hash: bytes
    time_ns: Count
    validators: tuple[Validator, ...]
    next_validators: Hash


class ClusterAnchor(Value, frozen=True, tag_field="kind", tag="cluster"):
    """What a verifier trusts of a cluster: the ids of notary and network, the chain's id, and one header of it.

    `trusting_period_ms` is how long a header vouches for the next one: at most as long as validators that have left
    still guard their keys.
    """

    notary: bytes
    network: bytes
    chain_id: str
    trusted: Trusted
    trusting_period_ms: Count


Anchor = NotaryAnchor | ClusterAnchor


class TreeHead(Value, frozen=True):
    """The notary's tree at one moment: how many transactions it had accepted, and their root."""

    size: int
    root: bytes


class SoloReceipt(Value, frozen=True):
    """A verified receipt of a solo notary: what it says, and the COSE bytes that prove it to others."""

    accepted: Accepted
    cose: bytes
