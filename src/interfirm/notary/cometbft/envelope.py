"""Envelopes: what vouches for a requester where there is no connection to vouch (pure).

An envelope is admitted by rules that read the state of the last block alone, so that every validator agrees before the
block is judged. Its id covers all but the signature; ids are remembered as long as they could come again.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from interfirm.base import codec
from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest, sha256
from interfirm.base.limits import LIMITS, AgreedLimits
from interfirm.base.signatures import PublicKey, Signer
from interfirm.base.time import Instant
from interfirm.base.values import Value
from interfirm.ledger.signing import sign
from interfirm.notary.cometbft.types import Envelope
from interfirm.notary.governance import constitution, metadata
from interfirm.notary.registry.machine import Record, is_stale
from interfirm.notary.state import REGISTRY, Overlay
from interfirm.notary.types import GOVERNING, Ask, Asked, Follow, Origin, Register
from interfirm.notary.wire import Collect, Listen, Wanted, decode_request, encode_request

ENVELOPE = "envelope"
"""The purpose that an envelope is signed for."""


class Opened(Value, frozen=True):
    """A decoded envelope: its id, the hash of its bytes, and each request with who asks."""

    envelope: Envelope
    id: bytes
    asked: tuple[Asked, ...]
    size_bytes: int


def envelope_id(notary: bytes, expires: Instant, nonce: bytes, requests: Sequence[bytes]) -> bytes:
    """The id of an envelope, which its requester signs."""
    return digest("envelope", notary, expires.ms, nonce, [sha256(request) for request in requests])


def seal_envelope(
    requests: Sequence[Wanted], *, notary: bytes, signer: Signer, identity: bytes, expires: Instant, nonce: bytes
) -> bytes:
    """The bytes of an envelope with these requests, signed; `nonce` has 32 bytes that were not used before."""
    blocks = tuple(encode_request(request) for request in requests)
    name = envelope_id(notary, expires, nonce, blocks)
    signature = sign(signer, identity, name, purpose=ENVELOPE)
    sealed = Envelope(notary=notary, expires=expires, nonce=nonce, requests=blocks, signature=signature)
    return codec.encode(sealed)


def open_envelope(data: bytes) -> Opened:
    """The envelope in the bytes of a transaction; Refusal `codec.*` or `envelope.*` for anything else.

    Its signature is not checked here, nor what it asks for.
    """
    envelope = codec.decode(data, Envelope, bytes_max=LIMITS.envelope_bytes_max)
    count = len(envelope.requests)
    if not 0 < count <= LIMITS.envelope_requests_count_max:
        raise Refusal("envelope.requests", "an envelope has some requests, not too many", count=count)
    requester = envelope.signature.identity
    asked = tuple(_asked(requester, block) for block in envelope.requests)
    return Opened(envelope=envelope, id=_id_of(envelope), asked=asked, size_bytes=len(data))


def open_listening(data: bytes) -> tuple[Opened, Listen]:
    """An envelope that is no transaction: one `Listen`, which a single validator answers; as `open_envelope`."""
    envelope = codec.decode(data, Envelope, bytes_max=LIMITS.envelope_bytes_max)
    wanted = decode_request(envelope.requests[0]) if len(envelope.requests) == 1 else None
    if not isinstance(wanted, Listen):
        raise Refusal("envelope.kind", "an envelope that asks for one thing: what there is to tell")
    return Opened(envelope=envelope, id=_id_of(envelope), asked=(), size_bytes=len(data)), wanted


def _id_of(envelope: Envelope) -> bytes:
    return envelope_id(envelope.notary, envelope.expires, envelope.nonce, envelope.requests)


def _asked(requester: bytes, block: bytes) -> Asked:
    request = decode_request(block)
    if isinstance(request, Collect | Listen):
        raise Refusal("envelope.kind", "what lies beside the state is asked for without a block")
    if isinstance(request, Ask) and request.kind in metadata.KINDS:
        raise Refusal("envelope.kind", "what the cluster says of itself is long, and asked for without a block")
    return Asked(requester=requester, request=request)


def check_place(opened: Opened, *, notary: bytes, now: Instant, limits: AgreedLimits) -> None:
    """Refuse an envelope for another notary, too old, good for too long, or over another limit in force."""
    envelope = opened.envelope
    if envelope.notary != notary:
        raise Refusal("envelope.notary", "an envelope for another notary", notary=envelope.notary)
    if envelope.expires <= now:
        raise Refusal("envelope.expired", "the envelope is too old", expires=envelope.expires, now=now)
    if envelope.expires.ms - now.ms > limits.envelope_life_ms_max:
        raise Refusal("envelope.life", "the envelope would be good for too long", expires=envelope.expires, now=now)
    _check_size(opened, limits)


def _check_size(opened: Opened, limits: AgreedLimits) -> None:
    """What every decoder takes was looked at before; here it is what the voters allow."""
    request_bytes_max = limits.transaction_bytes_max + limits.sealed_bytes_max
    if opened.size_bytes > limits.envelope_bytes_max or len(opened.asked) > limits.envelope_requests_count_max:
        raise Refusal("envelope.limit", "the envelope is too large", bytes=opened.size_bytes, count=len(opened.asked))
    if opened.size_bytes > request_bytes_max and max(map(len, opened.envelope.requests)) > request_bytes_max:
        raise Refusal("envelope.limit", "a request is too large", bytes_max=request_bytes_max)


def check_requester(opened: Opened, state: Overlay, *, genesis: Origin, now: Instant) -> None:
    """Refuse an envelope unless its key is the requester's today.

    Whom the registry does not show, or not recently enough, may only introduce itself, and govern where it votes; the
    registrar may do all.
    """
    signature = opened.envelope.signature
    known = state.get(REGISTRY, signature.identity)
    record = None if known is None else _record(known)
    if record is not None and record.revoked:
        raise Refusal("envelope.revoked", "the requester was revoked", identity=signature.identity)
    if signature.key != _expected(signature.key, signature.identity, record):
        raise Refusal("envelope.key", "not the requester's key", identity=signature.identity)
    trusted = record is not None and not is_stale(record, now, state.limits)
    if trusted or signature.key == genesis.registrar:
        return
    votes = constitution.keys_of(state).get(signature.identity) == signature.key
    for asked in opened.asked:
        if not (votes and isinstance(asked.request, GOVERNING)):
            _check_introduction(asked, signature.key)


@lru_cache(maxsize=4096)
def _record(data: bytes) -> Record:
    """Kept, because an envelope's requester is looked at whenever the envelope is."""
    return codec.decode(data, Record)


def _expected(key: PublicKey, identity: bytes, record: Record | None) -> PublicKey | None:
    """The key that the requester has to sign with; a newcomer's is the one that its identity is made of."""
    if record is not None:
        return record.key
    return key if key.identity == identity else None


def _check_introduction(asked: Asked, key: PublicKey) -> None:
    match asked.request:
        case Register() if asked.request.key == key:
            return
        case Follow() if asked.request.identity == asked.requester:
            return
    raise Refusal("envelope.stranger", "who is not registered may only introduce itself", identity=asked.requester)
