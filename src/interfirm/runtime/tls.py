"""A home's certificate and the network's revocations, as the transport wants them."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from interfirm.base.errors import Refusal
from interfirm.node.identity.authority import read_revocations, read_trust
from interfirm.node.identity.checks import certified
from interfirm.node.identity.keystore import KeyStore, check_unsplit
from interfirm.node.network.contexts import TlsIdentity
from interfirm.runtime.clock import Clock
from interfirm.runtime.layout import Home, NetworkLayout


def tls_identity(layout: NetworkLayout, home: Home, store: KeyStore) -> TlsIdentity:
    """What a process shows of itself; Refusal `keystore.split` if keys and certificate are of different nodes."""
    try:
        chain = x509.load_pem_x509_certificates(home.certificate_path.read_bytes())
    except (OSError, ValueError) as error:
        raise Refusal(
            "certificate.missing", "the certificate cannot be read", path=str(home.certificate_path)
        ) from error
    ders = tuple(each.public_bytes(Encoding.DER) for each in chain)
    check_unsplit(store, certified(ders[0]))
    trust = read_trust(layout.authority_folder)
    return TlsIdentity(trust=trust, chain=ders, private_key_pem=store.tls_private_key_pem())


def revoked_serials(layout: NetworkLayout, identity: TlsIdentity, clock: Clock) -> frozenset[int]:
    """Serial numbers of revoked certificates."""
    return read_revocations(layout.authority_folder, identity.trust, at_ms=clock.now_ms())
