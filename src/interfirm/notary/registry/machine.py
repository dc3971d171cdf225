"""The registry: who an identity id is today (02-ledger, Identity not keys).

A record is the block [key, number of rotations, VRF key, home notary, revoked, as of]. A notary keeps a registry of its
own, or follows another notary's: then it copies records from that one's dated statements, trusts none that is older
than the limit, keeps the longest chain of rotations it has seen, and takes a rotation from its owner at any time. A
receipt names the registry height it was judged at: the height here of the last change of any record.
"""

from __future__ import annotations

from functools import lru_cache

from interfirm.base import codec, signatures
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.limits import AgreedLimits
from interfirm.base.signatures import PublicKey
from interfirm.base.time import Instant
from interfirm.base.values import Hash32, Wire
from interfirm.notary.state import META, REGISTRY, Overlay
from interfirm.notary.types import Abroad, Follow, Origin, Register, Revoke, Rotate, Said

HEIGHT = b"registry height"


class Record(Wire, frozen=True):
    """What the registry keeps of an identity; `as_of` dates a copy of another registry's, None is this one's own."""

    key: PublicKey
    number: int
    vrf: Hash32
    home: Hash32
    revoked: bool
    as_of: Instant | None = None


@lru_cache(maxsize=4096)
def _record(data: bytes) -> Record:
    return codec.decode(data, Record)


def record_of(identity: bytes, state: Overlay) -> Record:
    """The record of an identity; Refusal `registry.unknown` where there is none."""
    return _record(state.need(REGISTRY, identity, "registry.unknown", "the identity is not registered"))


def current_key(identity: bytes, state: Overlay, now: Instant) -> PublicKey:
    """The key the identity signs with today; Refusal `registry.revoked` or, for an old copy, `registry.stale`."""
    record = record_of(identity, state)
    if record.revoked:
        raise Refusal("registry.revoked", "the identity was revoked", identity=identity)
    if record.as_of is not None:
        _check_age(record.as_of, now, state.limits)
    return record.key


def is_stale(record: Record, now: Instant, limits: AgreedLimits) -> bool:
    """Whether a record is a copy of another registry's that is too old to rely on."""
    return record.as_of is not None and now.ms - record.as_of.ms > limits.registry_age_ms_max


def _check_age(as_of: Instant, now: Instant, limits: AgreedLimits) -> None:
    if now.ms - as_of.ms > limits.registry_age_ms_max:
        raise Refusal("registry.stale", "the followed registry's word is too old", as_of=as_of, now=now)


def registration_bytes(network: bytes, key: PublicKey, vrf: bytes, home: bytes) -> bytes:
    """What registrar and organisation sign to enter it."""
    return codec.encode_plain(["registration", network, codec.plain(key), vrf, home])


def rotation_bytes(network: bytes, identity: bytes, key: PublicKey, number: int) -> bytes:
    """What the old and the new key sign to rotate."""
    return codec.encode_plain(["rotation", network, identity, codec.plain(key), number])


def revocation_bytes(network: bytes, identity: bytes) -> bytes:
    """What the registrar signs to revoke."""
    return codec.encode_plain(["revocation", network, identity])


def register(request: Register, state: Overlay, genesis: Origin, height: int) -> bytes:
    """Enter an organisation; entering the same again is harmless. Returns its identity id."""
    if genesis.registry is not None:
        raise Refusal("registry.follows", "this notary follows another registry", registry=genesis.registry)
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
    else:
        _check_for_life(identity, _record(known), record)
    return identity


def _check_for_life(identity: bytes, known: Record, record: Record) -> None:
    if (known.vrf, known.home) != (record.vrf, record.home):
        raise Refusal("registry.known", "the identity is registered with another VRF key or home", identity=identity)


def rotate(request: Rotate, state: Overlay, genesis: Origin, height: int) -> bytes:
    """Replace a key by the next one. Returns the id the rotation is known by."""
    record = record_of(request.identity, state)
    message = rotation_bytes(genesis.network, request.identity, request.key, request.number)
    if record.number == request.number and record.key == request.key:
        return digest("rotation", message)
    if record.revoked:
        raise Refusal("registry.revoked", "the identity was revoked", identity=request.identity)
    if request.number != record.number + 1 or request.number > state.limits.rotations_count_max:
        raise Refusal("registry.number", "not the next rotation", number=request.number, known=record.number)
    signatures.verify(record.key, message, request.old)
    signatures.verify(request.key, message, request.new)
    _put(request.identity, record.replace(key=request.key, number=request.number), state, height)
    return digest("rotation", message)


def revoke(request: Revoke, state: Overlay, genesis: Origin, height: int) -> bytes:
    """End an identity's power to sign. Returns the id the revocation is known by."""
    message = revocation_bytes(genesis.network, request.identity)
    signatures.verify(genesis.registrar, message, request.registrar)
    record = record_of(request.identity, state)
    if not record.revoked:
        _put(request.identity, record.replace(revoked=True), state, height)
    return digest("revocation", message)


def follow(request: Follow, state: Overlay, genesis: Origin, height: int, now: Instant, abroad: Abroad) -> bytes:
    """Copy an identity's record from the registry this notary follows. Returns the identity id.

    A statement that is older than the limit is refused (`registry.stale`). One that shows fewer rotations than were
    seen here renews the copy's date and nothing else; a revocation stays for ever.
    """
    if genesis.registry is None:
        raise Refusal("registry.follows", "this notary keeps a registry of its own")
    said = abroad.statement(genesis.registry, request.statement)
    heard = _heard(said, request.identity, now, state.limits)
    value = state.get(REGISTRY, request.identity)
    record = heard if value is None else _merged(request.identity, _record(value), heard)
    _put(request.identity, record, state, height)
    return request.identity


def _heard(said: Said, identity: bytes, now: Instant, limits: AgreedLimits) -> Record:
    if said.kind != "key" or said.subject != identity or said.answer is None:
        raise Refusal("registry.statement", "the statement does not show this identity's record", identity=identity)
    _check_age(said.time, now, limits)
    record = codec.from_plain(said.answer, Record)
    if record.as_of is not None:
        raise Refusal("registry.statement", "the statement passes on another registry's word", identity=identity)
    return record.replace(as_of=min(said.time, now))


def _merged(identity: bytes, known: Record, heard: Record) -> Record:
    _check_for_life(identity, known, heard)
    assert known.as_of is not None
    assert heard.as_of is not None
    as_of = max(known.as_of, heard.as_of)
    longer = heard.number > known.number or (heard.number == known.number and heard.as_of == as_of)
    chain = heard if longer else known
    return chain.replace(as_of=as_of, revoked=known.revoked or heard.revoked)


def _put(identity: bytes, record: Record, state: Overlay, height: int) -> None:
    state.put(REGISTRY, identity, codec.encode(record))
    state.put(META, HEIGHT, codec.encode_plain(height))


def registry_height(state: Overlay) -> int:
    """The height of the registry's last change; 0 before the first."""
    value = state.get(META, HEIGHT)
    return 0 if value is None else _height(value)


@lru_cache(maxsize=16)
def _height(data: bytes) -> int:
    return int(codec.decode_plain(data))
