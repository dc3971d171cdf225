"""The registry: who an identity id is today (02-ledger, Identity not keys).

A record is the block [key, number of rotations, VRF key, home notary, revoked]. A receipt names the registry height it
was judged at: the height of the last change of any record.
"""

from __future__ import annotations

from interfirm.base import codec, signatures
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.signatures import PublicKey
from interfirm.base.values import Wire
from interfirm.notary.state import META, REGISTRY, Overlay
from interfirm.notary.types import Genesis, Register, Revoke, Rotate

HEIGHT = b"registry height"


class Record(Wire, frozen=True):
    """What the registry keeps of an identity."""

    key: PublicKey
    number: int
    vrf: bytes
    home: bytes
    revoked: bool


def record_of(identity: bytes, state: Overlay) -> Record:
    """The record of an identity; Refusal `registry.unknown` where there is none."""
    return codec.decode(state.need(REGISTRY, identity, "registry.unknown", "the identity is not registered"), Record)


def current_key(identity: bytes, state: Overlay) -> PublicKey:
    """The key the identity signs with today; Refusal `registry.revoked` when it may not sign."""
    record = record_of(identity, state)
    if record.revoked:
        raise Refusal("registry.revoked", "the identity was revoked", identity=identity)
    return record.key


def registration_bytes(network: bytes, key: PublicKey, vrf: bytes, home: bytes) -> bytes:
    """What registrar and organisation sign to enter it."""
    return codec.encode_plain(["registration", network, codec.plain(key), vrf, home])


def rotation_bytes(network: bytes, identity: bytes, key: PublicKey, number: int) -> bytes:
    """What the old and the new key sign to rotate."""
    return codec.encode_plain(["rotation", network, identity, codec.plain(key), number])


def revocation_bytes(network: bytes, identity: bytes) -> bytes:
    """What the registrar signs to revoke."""
    return codec.encode_plain(["revocation", network, identity])


def register(request: Register, state: Overlay, genesis: Genesis, height: int) -> bytes:
    """Enter an organisation; entering the same again is harmless. Returns its identity id."""
    message = registration_bytes(genesis.network, request.key, request.vrf, request.home)
    signatures.verify(genesis.registrar, message, request.registrar)
    signatures.verify(request.key, message, request.own)
    if request.vrf == request.key.key:
        raise Refusal("registry.vrf", "the VRF key must not be the signing key")
    identity = request.key.identity
    known = state.get(REGISTRY, identity)
    record = Record(key=request.key, number=0, vrf=request.vrf, home=request.home, revoked=False)
    if known is None:
        _put(identity, record, state, height)
    elif _first(codec.decode(known, Record)) != (request.vrf, request.home):
        raise Refusal("registry.known", "the identity is registered with another VRF key or home", identity=identity)
    return identity


def _first(record: Record) -> tuple[bytes, bytes]:
    return record.vrf, record.home


def rotate(request: Rotate, state: Overlay, genesis: Genesis, height: int) -> bytes:
    """Replace a key by the next one. Returns the id the rotation is known by."""
    record = record_of(request.identity, state)
    message = rotation_bytes(genesis.network, request.identity, request.key, request.number)
    if record.number == request.number and record.key == request.key:
        return digest("rotation", message)
    if record.revoked or request.number != record.number + 1:
        raise Refusal("registry.number", "not the next rotation", number=request.number, known=record.number)
    signatures.verify(record.key, message, request.old)
    signatures.verify(request.key, message, request.new)
    _put(request.identity, record.replace(key=request.key, number=request.number), state, height)
    return digest("rotation", message)


def revoke(request: Revoke, state: Overlay, genesis: Genesis, height: int) -> bytes:
    """End an identity's power to sign. Returns the id the revocation is known by."""
    message = revocation_bytes(genesis.network, request.identity)
    signatures.verify(genesis.registrar, message, request.registrar)
    record = record_of(request.identity, state)
    if not record.revoked:
        _put(request.identity, record.replace(revoked=True), state, height)
    return digest("revocation", message)


def _put(identity: bytes, record: Record, state: Overlay, height: int) -> None:
    state.put(REGISTRY, identity, codec.encode(record))
    state.put(META, HEIGHT, codec.encode_plain(height))


def registry_height(state: Overlay) -> int:
    """The height of the registry's last change; 0 before the first."""
    value = state.get(META, HEIGHT)
    return 0 if value is None else int(codec.decode_plain(value))
