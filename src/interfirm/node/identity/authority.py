"""The development authority of one network in a folder: root, network authority, registrar; issues and revokes.

For networks on one machine and for tests. A production network brings its own authority with the same profile.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from interfirm.base.errors import Refusal
from interfirm.base.signatures import Ed25519Signer, Signer
from interfirm.base.values import Value
from interfirm.node.identity import certificates, sealed
from interfirm.node.identity.certificates import NodeKeys, Period
from interfirm.node.identity.checks import check_network_name, check_request, parse, verify_revocations
from interfirm.node.identity.sealed import COST, Cost
from interfirm.node.identity.types import CertificateRequest, Subject, Trust, claims_key_id

_DAY_MS = 24 * 3600 * 1000
_ROOT_DAYS, _NETWORK_DAYS, _NODE_DAYS, _REVOCATIONS_DAYS = 3650, 1825, 730, 365
_KEYS, _TRUST, _REVOCATIONS = "authority.keys", "trust.json", "revocations.crl"


class _Kept(Value):
    """What the authority's sealed file holds."""

    network: str
    root_seed: bytes
    network_seed: bytes
    registrar_seed: bytes
    root: bytes
    authority: bytes
    revoked: tuple[tuple[str, int], ...] = ()
    """(serial number in hex, revoked at ms)."""
    list_number: int = 0

    def __repr__(self) -> str:
        return f"_Kept({self.network})"


class Authority:
    """Certifies the nodes of one network; times and serial numbers come from the caller and `randomness`."""

    def __init__(self, kept: _Kept, randomness: Callable[[int], bytes] = os.urandom) -> None:
        self._kept = kept
        self._randomness = randomness
        self._key = Ed25519PrivateKey.from_private_bytes(kept.network_seed)
        self._certificate = parse(kept.authority)
        self.registrar: Signer = Ed25519Signer(kept.registrar_seed)

    @classmethod
    def generate(cls, network: str, *, at_ms: int, randomness: Callable[[int], bytes] = os.urandom) -> Authority:
        """A new authority for `network`, in memory; valid from a day before `at_ms`, because clocks differ.

        Raises Refusal `identity.network`.
        """
        check_network_name(network)
        root_seed, network_seed, registrar_seed = (randomness(32) for _ in range(3))
        root_key = Ed25519PrivateKey.from_private_bytes(root_seed)
        root = certificates.root_certificate(
            root_key, network=network, serial=_serial(randomness), period=_period(at_ms, _ROOT_DAYS)
        )
        authority = certificates.network_certificate(
            Ed25519PrivateKey.from_private_bytes(network_seed).public_key(),
            root,
            issuer_key=root_key,
            network=network,
            serial=_serial(randomness),
            period=_period(at_ms, _NETWORK_DAYS),
        )
        kept = _Kept(
            network=network,
            root_seed=root_seed,
            network_seed=network_seed,
            registrar_seed=registrar_seed,
            root=certificates.der(root),
            authority=certificates.der(authority),
        )
        return cls(kept, randomness)

    @classmethod
    def create(cls, folder: Path, passphrase: bytes, *, network: str, at_ms: int, cost: Cost = COST) -> Authority:
        """A new authority kept in `folder`, with its public files beside it; Refusal `keystore.exists` for a second."""
        authority = cls.generate(network, at_ms=at_ms)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority._save(folder, passphrase, cost=cost, replace=False)
        authority.publish(folder, at_ms=at_ms)
        return authority

    @classmethod
    def open(cls, folder: Path, passphrase: bytes) -> Authority:
        """The authority kept in `folder`; raises as `sealed.read`."""
        secret, _ = sealed.read(folder / _KEYS, passphrase)
        try:
            return cls(msgspec.msgpack.decode(secret, type=_Kept))
        except msgspec.DecodeError as error:
            raise Refusal("keystore.damaged", "the authority cannot be read", path=str(folder)) from error

    @property
    def trust(self) -> Trust:
        """What every node of the network is told about it."""
        kept = self._kept
        return Trust(
            network=kept.network,
            root=kept.root,
            authorities=(kept.authority,),
            registrar=self.registrar.public,
        )

    def issue(self, request: CertificateRequest, *, at_ms: int, period: Period | None = None) -> tuple[bytes, ...]:
        """The certificate chain (DER, node first, without root) for a request; raises as `check_request`."""
        tls_public = check_request(request, network=self._kept.network)
        keys = NodeKeys(
            identity=request.identity,
            signing_key_id=request.public.identity,
            claims_key_id=claims_key_id(request.vrf_public),
            tls_public=tls_public,
        )
        certificate = certificates.node_certificate(
            keys,
            Subject(legal_name=request.legal_name, registration_id=request.registration_id),
            self._certificate,
            issuer_key=self._key,
            network=self._kept.network,
            serial=_serial(self._randomness),
            period=period or _period(at_ms, _NODE_DAYS),
        )
        return certificates.der(certificate), self._kept.authority

    def revoke(self, folder: Path, passphrase: bytes, *, serial_number: int, at_ms: int, cost: Cost = COST) -> bytes:
        """Revoke a certificate for ever and publish; returns the new list (DER)."""
        entry = (f"{serial_number:x}", at_ms)
        known = any(serial == entry[0] for serial, _ in self._kept.revoked)
        revoked = self._kept.revoked if known else (*self._kept.revoked, entry)
        self._kept = self._kept.replace(revoked=revoked, list_number=self._kept.list_number + 1)
        self._save(folder, passphrase, cost=cost, replace=True)
        return self.publish(folder, at_ms=at_ms)

    def revocations(self, *, at_ms: int) -> bytes:
        """The revocation list (DER) in force from `at_ms`."""
        listed = certificates.revocation_list(
            [(int(serial, 16), revoked_at_ms) for serial, revoked_at_ms in self._kept.revoked],
            self._certificate,
            issuer_key=self._key,
            number=self._kept.list_number,
            period=_period(at_ms, _REVOCATIONS_DAYS),
        )
        return listed.public_bytes(Encoding.DER)

    def publish(self, folder: Path, *, at_ms: int) -> bytes:
        """Write what everyone may read, certificates and revocation list, to `folder`; returns the list (DER)."""
        sealed.write_atomically(folder / _TRUST, msgspec.json.encode(self.trust), replace=True)
        sealed.write_atomically(folder / "root.pem", to_pem(self._kept.root), replace=True)
        sealed.write_atomically(folder / "network.pem", to_pem(self._kept.authority), replace=True)
        revocations = self.revocations(at_ms=at_ms)
        sealed.write_atomically(folder / _REVOCATIONS, revocations, replace=True)
        return revocations

    def _save(self, folder: Path, passphrase: bytes, *, cost: Cost, replace: bool) -> None:
        public = {"network": self._kept.network, "registrar": self.registrar.public.key.hex()}
        secret = msgspec.msgpack.encode(self._kept)
        sealed.write(folder / _KEYS, secret, passphrase, public=public, cost=cost, replace=replace)


def read_trust(folder: Path) -> Trust:
    """What the authority in `folder` tells every node; Refusal `trust.missing` or `trust.damaged`."""
    try:
        return msgspec.json.decode((folder / _TRUST).read_bytes(), type=Trust)
    except OSError as error:
        raise Refusal("trust.missing", "no authority published its certificates here", folder=str(folder)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Refusal("trust.damaged", "the published certificates are damaged", folder=str(folder)) from error


def read_revocations(folder: Path, trust: Trust, *, at_ms: int) -> frozenset[int]:
    """The revoked serial numbers published in `folder`; Refusal `revocations.missing`, else as `verify_revocations`."""
    try:
        data = (folder / _REVOCATIONS).read_bytes()
    except OSError as error:
        raise Refusal("revocations.missing", "no revocation list was published here", folder=str(folder)) from error
    return verify_revocations(data, trust.authorities[0], at_ms=at_ms)


def revocations_mark(folder: Path) -> object:
    """What differs as soon as another list is published in `folder`; Refusal `revocations.missing`."""
    try:
        status = (folder / _REVOCATIONS).stat()
    except OSError as error:
        raise Refusal("revocations.missing", "no revocation list was published here", folder=str(folder)) from error
    return status.st_ino, status.st_mtime_ns, status.st_size


def to_pem(data: bytes) -> bytes:
    """A certificate's PEM (RFC 7468), from its DER."""
    return parse(data).public_bytes(Encoding.PEM)


def _serial(randomness: Callable[[int], bytes]) -> int:
    """A positive serial number of 126 random bits (RFC 5280, clause 4.1.2.2, allows 20 octets)."""
    return int.from_bytes(randomness(16), "big") >> 2 | 1 << 125


def _period(at_ms: int, days: int) -> Period:
    return Period(not_before_ms=at_ms - _DAY_MS, not_after_ms=at_ms + days * _DAY_MS)
