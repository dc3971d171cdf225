"""TLS contexts: version 1.3 alone, certificates on both sides, one protocol, no resumption.

OpenSSL judges the chain and that its certificates may serve for this side; identity, constraints, revocation and time
are judged after the handshake by `identity.checks` with the node's own clock. So OpenSSL's check of time is off: a
scenario clock and the machine's must not disagree about one certificate.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from interfirm.base.values import Value
from interfirm.node.identity.types import Trust

PROTOCOL = "interfirm/1"
_NO_CHECK_TIME = 0x200000  # X509_V_FLAG_NO_CHECK_TIME of OpenSSL's x509_vfy.h; Python gives it no name


class TlsIdentity(Value):
    """What a node shows of itself."""

    trust: Trust
    chain: tuple[bytes, ...]
    """X.509 DER, the node's own first, without the root."""
    private_key_pem: bytes

    def __repr__(self) -> str:
        return "TlsIdentity(...)"


def server_context(identity: TlsIdentity) -> ssl.SSLContext:
    """For accepted connections."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0  # a resumed connection would skip the certificate
    return _completed(context, identity)


def client_context(identity: TlsIdentity) -> ssl.SSLContext:
    """For dialled connections; peers are known by identity, so host names are not compared."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    return _completed(context, identity)


def _completed(context: ssl.SSLContext, identity: TlsIdentity) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT | _NO_CHECK_TIME
    context.set_alpn_protocols([PROTOCOL])
    context.load_verify_locations(cadata=identity.trust.root)
    _load_own(context, identity)
    return context


def _load_own(context: ssl.SSLContext, identity: TlsIdentity) -> None:
    """Python takes certificate and key from a file alone; the key is in it only under a password of this moment."""
    password = os.urandom(32).hex().encode()
    key = load_pem_private_key(identity.private_key_pem, None)
    sealed = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password))
    chain = b"".join(x509.load_der_x509_certificate(data).public_bytes(Encoding.PEM) for data in identity.chain)
    with tempfile.TemporaryDirectory(prefix="interfirm-") as folder:
        file = Path(folder) / "node.pem"
        file.write_bytes(chain + sealed)
        context.load_cert_chain(file, password=password)
