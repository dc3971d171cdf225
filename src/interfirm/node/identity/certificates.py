"""Certificates as they are written: root, network authority, node; keys, serial numbers and times come in.

Profile: X.509 v3 (RFC 5280) with Ed25519 keys (RFC 8410). Subjects of a network lie below `DC=interfirm, DC=<network>`,
and the network authority is constrained to that subtree. A node's identity id and key ids are URIs of its alternative
name.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from interfirm.base.values import Value
from interfirm.node.identity.types import Subject

URN_IDENTITY = "urn:interfirm:"
URN_SIGNING_KEY = "urn:interfirm:signing-key:"
URN_CLAIMS_KEY = "urn:interfirm:claims-key:"


class Period(Value):
    """When a certificate is valid, both ends included (whole seconds of milliseconds since 1970)."""

    not_before_ms: int
    not_after_ms: int


class NodeKeys(Value):
    """The key ids and the TLS key that a node certificate binds to its organisation."""

    identity: bytes
    signing_key_id: bytes
    claims_key_id: bytes
    tls_public: Ed25519PublicKey


def moment(at_ms: int) -> datetime:
    """The instant as X.509 writes it."""
    return datetime.fromtimestamp(at_ms // 1000, UTC)


def network_name(network: str) -> list[x509.RelativeDistinguishedName]:
    """The first parts of every subject of a network."""
    return [
        x509.RelativeDistinguishedName([x509.NameAttribute(NameOID.DOMAIN_COMPONENT, part)])
        for part in ("interfirm", network)
    ]


def root_certificate(key: Ed25519PrivateKey, *, network: str, serial: int, period: Period) -> x509.Certificate:
    """The self-signed anchor: may certify one level of authorities."""
    name = _name(network, (NameOID.COMMON_NAME, "root authority"))
    builder = _builder(name, name, key.public_key(), serial=serial, period=period)
    return _authority(builder, path_length=1).sign(key, None)


def network_certificate(
    key: Ed25519PublicKey,
    issuer: x509.Certificate,
    *,
    issuer_key: Ed25519PrivateKey,
    network: str,
    serial: int,
    period: Period,
) -> x509.Certificate:
    """The authority that certifies nodes: no authorities below it, no subject outside its network."""
    name = _name(network, (NameOID.COMMON_NAME, "network authority"))
    builder = _authority(_builder(name, issuer.subject, key, serial=serial, period=period), path_length=0)
    subtree = x509.DirectoryName(x509.Name(network_name(network)))
    builder = builder.add_extension(x509.NameConstraints([subtree], None), critical=True)
    return builder.add_extension(_issued_by(issuer), critical=False).sign(issuer_key, None)


def node_certificate(
    keys: NodeKeys,
    subject: Subject,
    issuer: x509.Certificate,
    *,
    issuer_key: Ed25519PrivateKey,
    network: str,
    serial: int,
    period: Period,
) -> x509.Certificate:
    """The certificate a node shows to its peers, as server and as client."""
    name = _name(
        network,
        (NameOID.ORGANIZATION_NAME, subject.legal_name),
        (NameOID.ORGANIZATION_IDENTIFIER, subject.registration_id),
        (NameOID.COMMON_NAME, keys.identity.hex()),
    )
    builder = _builder(name, issuer.subject, keys.tls_public, serial=serial, period=period)
    for extension, critical in (
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_usage(digital_signature=True), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), False),
        (x509.SubjectAlternativeName(_identifiers(keys)), False),
        (_issued_by(issuer), False),
    ):
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(issuer_key, None)


def revocation_list(
    revoked: Iterable[tuple[int, int]],
    issuer: x509.Certificate,
    *,
    issuer_key: Ed25519PrivateKey,
    number: int,
    period: Period,
) -> x509.CertificateRevocationList:
    """The issuer's list of (serial number, revoked at ms), complete, with its running number (RFC 5280, clause 5)."""
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.subject)
    builder = builder.last_update(moment(period.not_before_ms)).next_update(moment(period.not_after_ms))
    builder = builder.add_extension(x509.CRLNumber(number), critical=False)
    builder = builder.add_extension(_issued_by(issuer), critical=False)
    for serial, at_ms in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(moment(at_ms)).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(issuer_key, None)


def der(certificate: x509.Certificate) -> bytes:
    """The certificate as carried in values and on the wire."""
    return certificate.public_bytes(Encoding.DER)


def _identifiers(keys: NodeKeys) -> list[x509.GeneralName]:
    return [
        x509.UniformResourceIdentifier(URN_IDENTITY + keys.identity.hex()),
        x509.UniformResourceIdentifier(URN_SIGNING_KEY + keys.signing_key_id.hex()),
        x509.UniformResourceIdentifier(URN_CLAIMS_KEY + keys.claims_key_id.hex()),
    ]


def _name(network: str, *attributes: tuple[x509.ObjectIdentifier, str]) -> x509.Name:
    rest = [x509.RelativeDistinguishedName([x509.NameAttribute(oid, text)]) for oid, text in attributes]
    return x509.Name(network_name(network) + rest)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: Ed25519PublicKey, *, serial: int, period: Period
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key).serial_number(serial)
    builder = builder.not_valid_before(moment(period.not_before_ms)).not_valid_after(moment(period.not_after_ms))
    return builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)


def _authority(builder: x509.CertificateBuilder, *, path_length: int) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
    return builder.add_extension(_usage(certificates=True), critical=True)


def _usage(*, digital_signature: bool = False, certificates: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=certificates,
        crl_sign=certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _issued_by(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
