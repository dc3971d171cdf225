"""Certificates as they are judged: every rule on use, each refused by its own code; no clock, no files.

Follows the path validation of RFC 5280, clause 6, for the profile that `certificates` writes; what the profile does not
have (other critical extensions, other constraints) is refused, never ignored.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.signatures import PublicKey, verify
from interfirm.node.identity.certificates import URN_CLAIMS_KEY, URN_IDENTITY, URN_SIGNING_KEY
from interfirm.node.identity.types import (
    CertificateRequest,
    CertifiedIdentity,
    Purpose,
    Rotation,
    Subject,
    Trust,
    request_digest,
    rotation_digest,
)

E = TypeVar("E", bound=x509.ExtensionType)
_USAGES = {Purpose.SERVER: ExtendedKeyUsageOID.SERVER_AUTH, Purpose.CLIENT: ExtendedKeyUsageOID.CLIENT_AUTH}
_UNDERSTOOD = (
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.NameConstraints,
    x509.SubjectAlternativeName,
)
_UNREADABLE = (
    CryptographyDeprecationWarning,
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_NETWORK = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_REGISTRATION = re.compile(r"(?:[A-Z]{3}|[A-Z]{2}:)[A-Z]{2}-[0-9A-Za-z.+/-]{1,32}")
_URN = re.compile(r"[0-9a-f]{64}")


def verify_chain(
    leaf: bytes,
    intermediates: Sequence[bytes],
    anchor: bytes,
    *,
    at_ms: int,
    purpose: Purpose,
    revoked: Collection[int] = (),
) -> CertifiedIdentity:
    """The identity that a node certificate proves at `at_ms` for `purpose`, under `anchor`.

    Certificates are DER; `revoked` holds serial numbers. Raises Refusal `certificate.malformed`, `.untrusted`,
    `.algorithm`, `.constraints`, `.purpose`, `.not-yet-valid`, `.expired`, `.revoked` or `.identity`.
    """
    path = _path(parse(leaf), [parse(data) for data in intermediates], parse(anchor))
    _check_authorities(path)
    _check_purpose(path[0], purpose)
    for certificate in path:
        _check_period(certificate, at_ms)
        _check_unrevoked(certificate, revoked)
    return certified(leaf)


def verify_trusted(
    leaf: bytes, trust: Trust, *, at_ms: int, purpose: Purpose, revoked: Collection[int] = ()
) -> CertifiedIdentity:
    """`verify_chain` under what a node trusts; refuses one of another network too (`certificate.identity`)."""
    found = verify_chain(leaf, trust.authorities, trust.root, at_ms=at_ms, purpose=purpose, revoked=revoked)
    check(
        found.network == trust.network,
        "certificate.identity",
        "the certificate belongs to another network",
        network=found.network,
        expected=trust.network,
    )
    return found


def verify_revocations(data: bytes, issuer: bytes, *, at_ms: int) -> frozenset[int]:
    """The serial numbers on a revocation list (DER) that `issuer` signed and that is in force at `at_ms`.

    Raises Refusal `revocations.malformed`, `revocations.untrusted` or `revocations.stale`.
    """
    authority = parse(issuer)
    try:
        revocations = x509.load_der_x509_crl(data)
    except ValueError as error:
        raise Refusal("revocations.malformed", "these bytes are not a revocation list", reason=str(error)) from error
    key = authority.public_key()
    assert isinstance(key, ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey)
    if revocations.issuer != authority.subject or not revocations.is_signature_valid(key):
        raise Refusal("revocations.untrusted", "the revocation list is not signed by this authority")
    until = revocations.next_update_utc
    in_force = until is not None and _ms(revocations.last_update_utc) <= at_ms <= _ms(until)
    check(in_force, "revocations.stale", "the revocation list is not in force at this time", at_ms=at_ms)
    return frozenset(entry.serial_number for entry in revocations)


def certified(leaf: bytes) -> CertifiedIdentity:
    """What a node certificate says about its organisation, without judging whether to believe it.

    Raises Refusal `certificate.malformed` or `certificate.identity`.
    """
    certificate = parse(leaf)
    identifiers = list(_uris(certificate))
    identity = _only(identifiers, URN_IDENTITY)
    parts = [attribute.value for attribute in certificate.subject.get_attributes_for_oid(NameOID.DOMAIN_COMPONENT)]
    if len(parts) != 2 or _attribute(certificate, NameOID.COMMON_NAME) != identity.hex():
        raise Refusal("certificate.identity", "the certificate's subject does not fit its identity", identity=identity)
    return CertifiedIdentity(
        identity=identity,
        network=str(parts[1]),
        legal_name=_attribute(certificate, NameOID.ORGANIZATION_NAME),
        registration_id=_attribute(certificate, NameOID.ORGANIZATION_IDENTIFIER),
        signing_key_id=_only(identifiers, URN_SIGNING_KEY),
        claims_key_id=_only(identifiers, URN_CLAIMS_KEY),
        tls_public=certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        serial_number=certificate.serial_number,
        not_before_ms=_ms(certificate.not_valid_before_utc),
        not_after_ms=_ms(certificate.not_valid_after_utc),
    )


def check_rotations(identity: bytes, public: PublicKey, rotations: Sequence[Rotation]) -> None:
    """Refuse (`identity.rotation`) unless `rotations` lead from the first key of `identity` to `public`."""
    first = rotations[0].old if rotations else public
    check(first.identity == identity, "identity.rotation", "the first key is not this identity's", identity=identity)
    current = first
    for index, rotation in enumerate(rotations):
        check(rotation.old == current, "identity.rotation", "a rotation does not follow the one before", index=index)
        try:
            verify(rotation.old, rotation_digest(identity, rotation.old, rotation.new), rotation.signature)
        except Refusal as refusal:
            raise Refusal("identity.rotation", "the old key did not sign this rotation", index=index) from refusal
        current = rotation.new
    check(current == public, "identity.rotation", "the rotations end in another key", identity=identity)


def check_subject(subject: Subject) -> Subject:
    """`subject`, if a certificate can name it; Refusal `identity.name` or `identity.registration` otherwise."""
    name, number = subject.legal_name, subject.registration_id
    fits = bool(name.strip()) and name == name.strip() and len(name) <= LIMITS.name_chars_max and name.isprintable()
    check(fits, "identity.name", "a legal name is printable text without outer spaces", legal_name=name[:200])
    check(
        _REGISTRATION.fullmatch(number) is not None,
        "identity.registration",
        "a registration number looks like VATBE-0987654394 (ETSI EN 319 412-1, clause 5.1.4)",
        registration_id=number[:200],
    )
    return subject


def check_network_name(network: str) -> str:
    """`network`, if it is a name of letters a-z, digits and hyphens; Refusal `identity.network` otherwise."""
    fits = _NETWORK.fullmatch(network) is not None
    check(fits, "identity.network", "a network name has a-z, 0-9 and hyphens, at most 63", network=network[:200])
    return network


def check_request(request: CertificateRequest, *, network: str) -> ed25519.Ed25519PublicKey:
    """The TLS key of a request that its owner signed with every key it names.

    Raises Refusal `request.network`, `request.malformed`, `request.signature`, `identity.rotation`, `identity.name`
    or `identity.registration`.
    """
    check(request.network == network, "request.network", "the request is for another network", network=request.network)
    check_subject(Subject(legal_name=request.legal_name, registration_id=request.registration_id))
    check(len(request.vrf_public) == 32, "request.malformed", "a key for claims has 32 bytes")
    check_rotations(request.identity, request.public, request.rotations)
    try:
        verify(request.public, request_digest(request), request.signature)
    except Refusal as refusal:
        raise Refusal("request.signature", "the organisation's key did not sign this request") from refusal
    try:
        tls = x509.load_der_x509_csr(request.tls_request)
        key, proven = tls.public_key(), tls.is_signature_valid
    except _UNREADABLE as error:
        raise Refusal("request.malformed", "this is not a PKCS#10 request", reason=str(error)) from error
    if not isinstance(key, ed25519.Ed25519PublicKey) or not proven:
        raise Refusal("request.signature", "the TLS key is not Ed25519 or did not sign its request")
    return key


def parse(data: bytes) -> x509.Certificate:
    """The certificate in these DER bytes; Refusal `certificate.malformed` where they hold none."""
    bytes_max = LIMITS.certificate_bytes_max
    check(len(data) <= bytes_max, "certificate.malformed", "the certificate is too large", bytes_max=bytes_max)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", CryptographyDeprecationWarning)  # what RFC 5280 disallows is only warned of
            certificate = x509.load_der_x509_certificate(data)
        # these are parsed lazily otherwise, and the rest of this file relies on them
        _ = certificate.extensions, certificate.subject, certificate.issuer, certificate.public_key()
        _ = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    except _UNREADABLE as error:
        raise Refusal("certificate.malformed", "these bytes are no X.509 certificate", reason=str(error)) from error
    return certificate


def _path(leaf: x509.Certificate, middle: list[x509.Certificate], anchor: x509.Certificate) -> list[x509.Certificate]:
    """Leaf first, anchor last, each signed by the next."""
    path = [leaf]
    while not _issued(path[-1], anchor):
        issuer = next((c for c in middle if c not in path and _issued(path[-1], c)), None)
        if issuer is None:
            raise Refusal(
                "certificate.untrusted",
                "no chain of signatures leads from the certificate to the trusted root",
                issuer=leaf.issuer.rfc4514_string(),
            )
        path.append(issuer)
    return [*path, anchor]


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    key = issuer.public_key()
    if not _is_allowed(key):
        raise Refusal("certificate.algorithm", "an issuer's key is neither Ed25519 nor P-256")
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True


def _is_allowed(key: object) -> bool:
    is_p256 = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    return is_p256 or isinstance(key, ed25519.Ed25519PublicKey)


def _check_authorities(path: list[x509.Certificate]) -> None:
    """Basic constraints, key usage and name constraints of everything above the leaf (RFC 5280, clause 6.1.4)."""
    check(_is_allowed(path[0].public_key()), "certificate.algorithm", "the key is neither Ed25519 nor P-256")
    for certificate in path:
        for extension in certificate.extensions:
            understood = not extension.critical or isinstance(extension.value, _UNDERSTOOD)
            check(understood, "certificate.constraints", "an unknown extension is critical", oid=extension.oid)
    for below, authority in enumerate(path[1:]):
        basic = _extension(authority, x509.BasicConstraints)
        may_certify = basic is not None and basic.ca
        check(may_certify, "certificate.constraints", "an issuer is no authority", issuer=_shown(authority))
        length = basic.path_length if basic is not None else None
        fits = length is None or below <= length
        check(fits, "certificate.constraints", "more authorities below an issuer than it allows", path_length=length)
        usage = _extension(authority, x509.KeyUsage)
        signs = usage is not None and usage.key_cert_sign
        check(signs, "certificate.constraints", "an issuer's key may not sign certificates", issuer=_shown(authority))
        for certificate in path[: below + 1]:
            _check_names(certificate, _extension(authority, x509.NameConstraints))


def _check_names(certificate: x509.Certificate, constraints: x509.NameConstraints | None) -> None:
    if constraints is None:
        return
    permitted = constraints.permitted_subtrees or []
    subtrees = [name.value.rdns for name in permitted if isinstance(name, x509.DirectoryName)]
    # other kinds of constraint are not in the profile, so no certificate is inside them
    understood = not constraints.excluded_subtrees and len(subtrees) == len(permitted)
    inside = any(certificate.subject.rdns[: len(subtree)] == subtree for subtree in subtrees)
    check(
        understood and inside,
        "certificate.constraints",
        "the subject lies outside what its issuer may certify",
        subject=_shown(certificate),
    )


def _check_purpose(leaf: x509.Certificate, purpose: Purpose) -> None:
    basic = _extension(leaf, x509.BasicConstraints)
    usage = _extension(leaf, x509.KeyUsage)
    extended = _extension(leaf, x509.ExtendedKeyUsage)
    may_sign = usage is not None and usage.digital_signature and not usage.key_cert_sign
    is_leaf = basic is not None and not basic.ca
    named = extended is not None and _USAGES[purpose] in extended
    fits = may_sign and is_leaf and named
    check(fits, "certificate.purpose", "this is not a certificate for this use", purpose=purpose.value)


def _check_period(certificate: x509.Certificate, at_ms: int) -> None:
    start, end = _ms(certificate.not_valid_before_utc), _ms(certificate.not_valid_after_utc)
    check(
        at_ms >= start,
        "certificate.not-yet-valid",
        "the certificate is not valid yet",
        subject=_shown(certificate),
        not_before_ms=start,
        at_ms=at_ms,
    )
    check(
        at_ms < end + 1000,
        "certificate.expired",
        "the certificate has expired",
        subject=_shown(certificate),
        not_after_ms=end,
        at_ms=at_ms,
    )


def _check_unrevoked(certificate: x509.Certificate, revoked: Collection[int]) -> None:
    serial = certificate.serial_number
    check(
        serial not in revoked,
        "certificate.revoked",
        "the certificate was revoked",
        subject=_shown(certificate),
        serial_number=f"{serial:x}",
    )


def _uris(certificate: x509.Certificate) -> Iterator[str]:
    names = _extension(certificate, x509.SubjectAlternativeName)
    if names is not None:
        yield from names.get_values_for_type(x509.UniformResourceIdentifier)


def _only(identifiers: Sequence[str], prefix: str) -> bytes:
    """The one 32-byte id that follows `prefix`; the prefixes contain one another, so the rest must be plain hex."""
    found = [uri[len(prefix) :] for uri in identifiers if uri.startswith(prefix) and _URN.fullmatch(uri[len(prefix) :])]
    check(len(found) == 1, "certificate.identity", "the certificate does not name exactly one id", prefix=prefix)
    return bytes.fromhex(found[0])


def _attribute(certificate: x509.Certificate, oid: x509.ObjectIdentifier) -> str:
    found = certificate.subject.get_attributes_for_oid(oid)
    check(len(found) == 1, "certificate.identity", "the subject lacks a name or has it twice", oid=oid.dotted_string)
    return str(found[0].value)


def _extension(certificate: x509.Certificate, kind: type[E]) -> E | None:
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def _shown(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000
