"""Keys and signatures by scheme; one acceptance rule for each (spec clause 3).

Ed25519 is accepted exactly as libsodium's `crypto_sign_verify_detached` does: RFC 8032 with canonical S, keys and R
neither of small order nor non-canonical, cofactorless equation (so a key with a part of small order may pass). The
ECDSA schemes take DER-free 64-byte `r || s` with low s.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Protocol

import nacl.bindings
import nacl.exceptions
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.values import Wire


class Scheme(StrEnum):
    """Signature schemes of the ledger."""

    ED25519 = "ed25519"
    P256 = "p256"
    SECP256K1 = "secp256k1"


class PublicKey(Wire, frozen=True):
    """A public key: Ed25519 raw 32 bytes; ECDSA the 33-byte compressed point (SEC 1)."""

    scheme: Scheme
    key: bytes

    @property
    def identity(self) -> bytes:
        """The 32-byte identity id of the organisation whose first key this is."""
        return digest("identity", self.scheme.value, self.key)


class Signer(Protocol):
    """Whoever holds a private key: a file key store, an HSM."""

    @property
    def public(self) -> PublicKey:
        """The public key that verifies what `sign` returns."""

    def sign(self, message: bytes) -> bytes:
        """The signature over `message`, in the form of the key's scheme."""


class Ed25519Signer:
    """A signing key held in memory, from its 32-byte seed (tests, simulation, and the file key store once unlocked)."""

    __slots__ = ("_secret", "public")

    def __init__(self, seed: bytes) -> None:
        public, self._secret = nacl.bindings.crypto_sign_seed_keypair(seed)
        self.public = PublicKey(scheme=Scheme.ED25519, key=public)

    def sign(self, message: bytes) -> bytes:
        """The 64-byte RFC 8032 signature over `message`."""
        return nacl.bindings.crypto_sign(message, self._secret)[:64]

    def __repr__(self) -> str:
        return f"Ed25519Signer({self.public.key.hex()[:16]})"


_CURVES: dict[Scheme, tuple[ec.EllipticCurve, int]] = {
    Scheme.P256: (ec.SECP256R1(), 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551),
    Scheme.SECP256K1: (ec.SECP256K1(), 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141),
}


def verify(public: PublicKey, message: bytes, signature: bytes) -> None:
    """Return if `signature` is `public`'s over `message`; raise Refusal `signature.invalid` otherwise."""
    if public.scheme is Scheme.ED25519:
        valid = _verify_ed25519(public.key, message, signature)
    else:
        valid = _verify_ecdsa(public, message, signature)
    if not valid:
        raise Refusal("signature.invalid", "the signature does not verify", scheme=public.scheme.value, key=public.key)


def _verify_ed25519(key: bytes, message: bytes, signature: bytes) -> bool:
    if len(key) != 32 or len(signature) != 64:
        return False
    try:
        nacl.bindings.crypto_sign_open(signature + message, key)
    except nacl.exceptions.BadSignatureError:
        return False
    return True


def _verify_ecdsa(public: PublicKey, message: bytes, signature: bytes) -> bool:
    curve, order = _CURVES[public.scheme]
    if len(public.key) != 33 or len(signature) != 64:
        return False
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    if not 0 < r < order or not 0 < s <= order // 2:
        return False
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(curve, public.key)
        key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def low_s(scheme: Scheme, der_signature: bytes) -> bytes:
    """The 64-byte low-s form of a DER ECDSA signature, as the ledger carries it."""
    r, s = utils.decode_dss_signature(der_signature)
    order = _CURVES[scheme][1]
    return r.to_bytes(32, "big") + min(s, order - s).to_bytes(32, "big")
