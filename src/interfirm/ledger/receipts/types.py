"""What a receipt says, and what its reader trusts beforehand."""

from __future__ import annotations

from typing import Annotated

import msgspec

from interfirm.base.signatures import PublicKey
from interfirm.base.values import Value, Wire

Hash = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class Accepted(Wire, frozen=True, tag="accepted"):
    """A notary accepted this transaction: nothing about validity, nothing about being unspent now.

    `transaction` is its 32-byte id, `height` the notary's height, `time_ms` the notary's time of acceptance in
    milliseconds since 1970, `registry_height` the height of the registry whose keys judged the signatures.
    """

    transaction: Hash
    height: Count
    time_ms: Count
    registry_height: Count


class NotaryAnchor(Value, frozen=True):
    """What a verifier trusts: the notary's and the network's 32-byte ids, and the key the notary signs with."""

    notary: bytes
    network: bytes
    key: PublicKey


class TreeHead(Value, frozen=True):
    """The notary's tree at one moment: how many transactions it had accepted, and their root."""

    size: int
    root: bytes


class SoloReceipt(Value, frozen=True):
    """A verified receipt of a solo notary: what it says, and the COSE bytes that prove it to others."""

    accepted: Accepted
    cose: bytes
