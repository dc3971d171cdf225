"""A home's certificate and the network's revocations, as the transport wants them."""

from __future__ import annotations

from cryptography import x509

from interfirm.node.identity.authority import read_revocations, read_trust, revocations_mark
from interfirm.node.identity.checks import certified, verify_trusted
from interfirm.node.identity.keystore import KeyStore, check_unsplit
from interfirm.node.identity.types import Purpose
from interfirm.node.network.contexts import TlsIdentity
from interfirm.runtime.clock import Clock
from interfirm.runtime.layout import Home, NetworkLayout, read_chain


def tls_identity(layout: NetworkLayout, home: Home, store: KeyStore) -> TlsIdentity:
    """What a process shows of itself; Refusal `keystore.split` if keys and certificate are of different nodes."""
    ders = read_chain(home)
    check_unsplit(store, certified(ders[0]))
    trust = read_trust(layout.authority_folder)
    return TlsIdentity(trust=trust, chain=ders, private_key_pem=store.tls_private_key_pem())


class Revocations:
    """The serial numbers of revoked certificates as they are published now.

    The list is read again when its file is another one; that is looked up at every question, so a revocation holds for
    a running process. Raises Refusal `revocations.*` where the list cannot be believed: then nobody is.
    """

    def __init__(self, layout: NetworkLayout, identity: TlsIdentity, clock: Clock) -> None:
        self._folder, self._trust, self._clock = layout.authority_folder, identity.trust, clock
        self._mark: object = None
        self._serials: frozenset[int] = frozenset()
        self()

    def __call__(self) -> frozenset[int]:
        """The serial numbers."""
        mark = revocations_mark(self._folder)
        if mark != self._mark:
            self._serials = read_revocations(self._folder, self._trust, at_ms=self._clock.now_ms())
            self._mark = mark
        return self._serials


def certificate_until_s(home: Home) -> float:
    """When a home's certificate ends, in seconds since 1970; Refusal `certificate.missing`."""
    return x509.load_der_x509_certificate(read_chain(home)[0]).not_valid_after_utc.timestamp()


def check_own_certificate(layout: NetworkLayout, identity: TlsIdentity, *, at_ms: int) -> None:
    """Refuse (`certificate.*`, `revocations.*`) a process whose peers would refuse it at this time."""
    revoked = read_revocations(layout.authority_folder, identity.trust, at_ms=at_ms)
    for purpose in Purpose:
        verify_trusted(identity.chain[0], identity.trust, at_ms=at_ms, purpose=purpose, revoked=revoked)
