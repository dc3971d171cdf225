"""Values of identity: what a certificate binds, what a node trusts, what it asks an authority for."""

from __future__ import annotations

from enum import StrEnum

from interfirm.base.hashing import digest
from interfirm.base.signatures import PublicKey
from interfirm.base.values import Value, Wire


class Purpose(StrEnum):
    """What a node certificate is used for at this moment (RFC 5280, clause 4.2.1.12)."""

    SERVER = "server"
    CLIENT = "client"


class Trust(Value):
    """What a node believes before it has met anyone: one root and the network authorities below it."""

    network: str
    """Name of the network, lower case."""
    root: bytes
    """The anchor, X.509 DER."""
    authorities: tuple[bytes, ...]
    """The network's issuing authorities, X.509 DER."""
    registrar: PublicKey
    """The key of the operator that countersigns directory entries."""


class Subject(Value):
    """The organisation a certificate names."""

    legal_name: str
    """Legal name (X.520 organizationName)."""
    registration_id: str
    """Registration number, such as `VATBE-0987654394` (ETSI EN 319 412-1, clause 5.1.4)."""


class Rotation(Wire):
    """The owner of `old` moves its identity to `new`; `signature` is `old`'s over `rotation_digest`."""

    old: PublicKey
    new: PublicKey
    signature: bytes


class CertificateRequest(Wire):
    """A node's wish for a certificate, signed by its ledger key and, inside `tls_request`, by its TLS key."""

    network: str
    identity: bytes
    legal_name: str
    registration_id: str
    public: PublicKey
    """The ledger signing key now in force."""
    rotations: tuple[Rotation, ...]
    """From the first key to `public`; empty while the first key is in force."""
    vrf_public: bytes
    """32-byte key of the verifiable random function for claims."""
    tls_request: bytes
    """PKCS#10 DER that carries the TLS key and proves its possession (RFC 2986)."""
    signature: bytes


class CertifiedIdentity(Value):
    """What a verified node certificate says; the proof `verify_chain` returns."""

    identity: bytes
    """32-byte identity id of the organisation."""
    network: str
    legal_name: str
    registration_id: str
    signing_key_id: bytes
    """`PublicKey.identity` of the ledger signing key in force."""
    claims_key_id: bytes
    """`claims_key_id` of the key for claims."""
    tls_public: bytes
    """SubjectPublicKeyInfo DER of the certificate's own key."""
    serial_number: int
    not_before_ms: int
    not_after_ms: int


def claims_key_id(vrf_public: bytes) -> bytes:
    """The 32-byte id by which certificates and key stores name a key for claims."""
    return digest("claims key", vrf_public)


def rotation_digest(identity: bytes, old: PublicKey, new: PublicKey) -> bytes:
    """What the old key signs to hand `identity` to the new one."""
    return digest("key rotation", identity, old.scheme.value, old.key, new.scheme.value, new.key)


def request_digest(request: CertificateRequest) -> bytes:
    """What the organisation's ledger key signs to ask for a certificate."""
    return digest(
        "certificate request",
        request.network,
        request.identity,
        request.legal_name,
        request.registration_id,
        [request.public.scheme.value, request.public.key],
        [[r.old.key, r.new.key, r.signature] for r in request.rotations],
        request.vrf_public,
        request.tls_request,
    )
