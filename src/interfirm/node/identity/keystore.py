"""The encrypted file that holds all keys of one node, and the check that they and the certificate belong together."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from interfirm.base.errors import Refusal, check
from interfirm.base.signatures import Ed25519Signer, PublicKey, Signer
from interfirm.base.values import Value
from interfirm.base.vrf import VrfKey
from interfirm.ledger.seals import agreement
from interfirm.node.identity import sealed
from interfirm.node.identity.sealed import COST, Cost
from interfirm.node.identity.types import (
    CertificateRequest,
    CertifiedIdentity,
    Rotation,
    Subject,
    claims_key_id,
    request_digest,
    rotation_digest,
)


class Secrets(Value):
    """The secret halves, 32 bytes each; all different, because two uses of one seed can betray it."""

    signing_seed: bytes
    """Ed25519 seed of the ledger signing key (RFC 8032)."""
    vrf_seed: bytes
    """Seed of the key for claims (RFC 9381, ECVRF-EDWARDS25519-SHA512-TAI)."""
    tls_seed: bytes
    """Ed25519 seed of the certificate's key."""
    document_key: bytes
    """Symmetric key for what the node's database keeps encrypted."""
    rotations: tuple[Rotation, ...] = ()
    """How the identity came to the signing key in force."""

    @classmethod
    def generate(cls, randomness: Callable[[int], bytes] = os.urandom) -> Self:
        """Four fresh secrets."""
        signing, vrf, tls, document = (randomness(32) for _ in range(4))
        return cls(signing_seed=signing, vrf_seed=vrf, tls_seed=tls, document_key=document)

    def __repr__(self) -> str:
        return "Secrets(...)"


class KeyStore:
    """One node's keys, unlocked in memory; `create` and `open` are the ways to get one."""

    def __init__(self, secrets: Secrets) -> None:
        parts = (secrets.signing_seed, secrets.vrf_seed, secrets.tls_seed, secrets.document_key)
        whole = all(len(part) == 32 for part in parts)
        check(whole, "keystore.damaged", "a key does not have 32 bytes")
        check(len(set(parts)) == len(parts), "keystore.shared-seed", "two keys of this store are one and the same")
        self._secrets = secrets
        self._tls = Ed25519PrivateKey.from_private_bytes(secrets.tls_seed)
        self.signer: Signer = Ed25519Signer(secrets.signing_seed)

    @classmethod
    def create(cls, path: Path, passphrase: bytes, *, secrets: Secrets | None = None, cost: Cost = COST) -> KeyStore:
        """A new store at `path`, with fresh secrets unless some are given.

        Raises Refusal `keystore.exists`, `keystore.shared-seed`, `keystore.passphrase` or `keystore.write`.
        """
        store = cls(secrets or Secrets.generate())
        store.save(path, passphrase, cost=cost)
        return store

    @classmethod
    def open(cls, path: Path, passphrase: bytes) -> KeyStore:
        """The store at `path`.

        Raises Refusal `keystore.missing`, `.mode`, `.damaged`, `.passphrase`, `.shared-seed`, or `.split` when the key
        ids recorded in the file are not those of the keys inside.
        """
        secret, public = sealed.read(path, passphrase)
        try:
            store = cls(msgspec.msgpack.decode(secret, type=Secrets))
        except msgspec.DecodeError as error:
            raise Refusal("keystore.damaged", "the keys cannot be read", path=str(path)) from error
        check(public == store.key_ids, "keystore.split", "the file records other keys than it holds", path=str(path))
        return store

    def save(self, path: Path, passphrase: bytes, *, cost: Cost = COST, replace: bool = False) -> None:
        """Write the store; with `replace`, over an older one (another passphrase, a rotated key)."""
        secret = msgspec.msgpack.encode(self._secrets)
        sealed.write(path, secret, passphrase, public=self.key_ids, cost=cost, replace=replace)

    def rotated(self, signing_seed: bytes) -> KeyStore:
        """The store with a new ledger signing key, vouched for by the one it replaces."""
        new = Ed25519Signer(signing_seed).public
        signature = self.signer.sign(rotation_digest(self.identity, self.public, new))
        rotation = Rotation(old=self.public, new=new, signature=signature)
        rotations = (*self._secrets.rotations, rotation)
        return KeyStore(self._secrets.replace(signing_seed=signing_seed, rotations=rotations))

    def agree(self, public: bytes) -> bytes:
        """The X25519 agreement of the signing key in force with a public key: opens sealed views."""
        return agreement(self._secrets.signing_seed)(public)

    @property
    def public(self) -> PublicKey:
        """The ledger signing key in force."""
        return self.signer.public

    @property
    def rotations(self) -> tuple[Rotation, ...]:
        """From the identity's first key to the one in force."""
        return self._secrets.rotations

    @property
    def identity(self) -> bytes:
        """The 32-byte identity id of the organisation: the hash of its first key."""
        first = self._secrets.rotations[0].old if self._secrets.rotations else self.public
        return first.identity

    @property
    def vrf_seed(self) -> bytes:
        """The seed of the key for claims."""
        return self._secrets.vrf_seed

    @property
    def vrf_public(self) -> bytes:
        """The public key for claims."""
        return VrfKey(self._secrets.vrf_seed).public

    @property
    def document_key(self) -> bytes:
        """The 32-byte key for what the node keeps encrypted."""
        return self._secrets.document_key

    @property
    def tls_public(self) -> bytes:
        """SubjectPublicKeyInfo DER of the certificate's key."""
        return self._tls.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def key_ids(self) -> dict[str, Any]:
        """What the file says openly about its keys, as hex."""
        return {
            "identity": self.identity.hex(),
            "signing_key": self.public.identity.hex(),
            "claims_key": claims_key_id(self.vrf_public).hex(),
            "tls_key": self.tls_public.hex(),
        }

    def tls_private_key_pem(self) -> bytes:
        """The certificate's private key, PKCS#8 PEM, not encrypted: for a TLS library in this process."""
        return self._tls.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def request(self, network: str, subject: Subject) -> CertificateRequest:
        """The signed wish for a certificate that binds this store's keys to `subject`."""
        wish = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(self._tls, None)
        request = CertificateRequest(
            network=network,
            identity=self.identity,
            legal_name=subject.legal_name,
            registration_id=subject.registration_id,
            public=self.public,
            rotations=self.rotations,
            vrf_public=self.vrf_public,
            tls_request=wish.public_bytes(Encoding.DER),
            signature=b"",
        )
        return request.replace(signature=self.signer.sign(request_digest(request)))

    def __repr__(self) -> str:
        return f"KeyStore({self.identity.hex()[:16]})"


def check_unsplit(store: KeyStore, certificate: CertifiedIdentity) -> CertifiedIdentity:
    """`certificate`, if it speaks of exactly the keys in `store`; Refusal `keystore.split` otherwise."""
    held = {
        "identity": store.identity,
        "signing_key_id": store.public.identity,
        "claims_key_id": claims_key_id(store.vrf_public),
        "tls_public": store.tls_public,
    }
    for name, value in held.items():
        certified = getattr(certificate, name)
        check(
            certified == value,
            "keystore.split",
            "the key store and the certificate are of different nodes",
            key=name,
            held=value,
            certified=certified,
        )
    return certificate
