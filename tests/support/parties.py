"""Named parties with their keys; the same name gives the same party."""

from __future__ import annotations

from functools import cache

from interfirm.base.hashing import digest
from interfirm.base.signatures import Ed25519Signer
from interfirm.base.vrf import VrfKey, vrf_verify


class Party:
    """A party: its signing key, identity id, and VRF key."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.signer = Ed25519Signer(digest("test signing key", name))
        self.id = self.signer.public.identity
        self.vrf = VrfKey(digest("test vrf key", name))

    def __repr__(self) -> str:
        return self.name


@cache
def party(name: str) -> Party:
    """The party of this name."""
    return Party(name)


def parties(names: str) -> list[Party]:
    """Several parties, named in one text."""
    return [party(name) for name in names.split()]


@cache
def proof_of(owner: str, alpha: bytes) -> bytes:
    """The party's VRF proof, made once."""
    return party(owner).vrf.prove(alpha)


@cache
def output_of(public: bytes, alpha: bytes, proof: bytes) -> bytes:
    """`vrf_verify`, once for each proof; refusals are not kept."""
    return vrf_verify(public, alpha, proof)
