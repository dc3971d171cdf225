"""The organisations of a world: names and keys from the seed, and the directory that all of them share."""

from __future__ import annotations

from interfirm.base.errors import Refusal
from interfirm.base.hashing import digest
from interfirm.base.signatures import Ed25519Signer, PublicKey, Signer
from interfirm.base.values import Value
from interfirm.base.vrf import VrfKey
from interfirm.ledger.receipts.types import NotaryAnchor
from interfirm.ledger.seals import agreement
from interfirm.node.books import Keys
from interfirm.notary.abroad import anchor_of
from interfirm.notary.machine import notary_id
from interfirm.notary.registry.machine import registration_bytes
from interfirm.notary.types import Genesis, Register


class Notary(Value, frozen=True):
    """A notary: its session identity, its key, and what it starts from."""

    name: str
    signer: Signer
    genesis: Genesis

    @property
    def identity(self) -> bytes:
        """Whom to talk to."""
        return self.signer.public.identity

    @property
    def id(self) -> bytes:
        """What transactions name it by."""
        return notary_id(self.genesis)


class Firm(Value, frozen=True):
    """An organisation with a node."""

    name: str
    keys: Keys

    @property
    def identity(self) -> bytes:
        """Its identity id."""
        return self.keys.identity


class Population:
    """Everyone in a world, from its seed; also the directory of the books and the names of the forms."""

    def __init__(self, seed: int, *, firms: int, notaries: int) -> None:
        self.network = digest("sim network", seed)
        self._registrar = _signer(seed, "registrar")
        self.notaries = tuple(self._notary(seed, f"notary{i}") for i in range(notaries))
        self.firms = tuple(_firm(seed, f"firm{i}") for i in range(firms))
        self._anchors: dict[bytes, NotaryAnchor] = {n.id: anchor_of(n.genesis) for n in self.notaries}
        self.operators: dict[bytes, bytes] = {}
        """Whose own notary it is, of those that are not the network's; for tests."""
        self._firms = {firm.identity: firm for firm in self.firms}
        self._names = {firm.identity: firm.name for firm in self.firms}
        for notary in self.notaries:
            self._names[notary.id] = self._names[notary.identity] = notary.name

    def _notary(self, seed: int, name: str) -> Notary:
        signer = _signer(seed, name)
        genesis = Genesis(network=self.network, registrar=self._registrar.public, key=signer.public, label=name)
        return Notary(name=name, signer=signer, genesis=genesis)

    def registrations(self) -> list[Register]:
        """What enters every firm into a registry; the first notary is everyone's home."""
        found = []
        for firm in self.firms:
            key: PublicKey = firm.keys.signer.public
            vrf, home = firm.keys.vrf.public, self.notaries[0].id
            message = registration_bytes(self.network, key, vrf, home)
            found.append(
                Register(
                    key=key,
                    vrf=vrf,
                    home=home,
                    registrar=self._registrar.sign(message),
                    own=firm.keys.signer.sign(message),
                )
            )
        return found

    def vrf_key(self, identity: bytes) -> bytes:
        """See books.Directory."""
        firm = self._firms.get(identity)
        if firm is None:
            raise Refusal("directory.unknown", "this organisation is not in the network", identity=identity)
        return firm.keys.vrf.public

    def key(self, identity: bytes) -> PublicKey:
        """See books.Directory."""
        firm = self._firms.get(identity)
        if firm is None:
            raise Refusal("directory.unknown", "this organisation is not in the network", identity=identity)
        return firm.keys.signer.public

    def anchor(self, notary: bytes) -> NotaryAnchor:
        """See books.Directory."""
        anchor = self._anchors.get(notary)
        if anchor is None:
            raise Refusal("directory.notary", "this notary is not known here", notary=notary)
        return anchor

    def operator(self, notary: bytes) -> bytes | None:
        """See books.Directory."""
        return self.operators.get(notary)

    def name_of(self, identity: bytes) -> str:
        """The name of a firm or notary."""
        return self._names.get(identity, identity.hex())


def _signer(seed: int, name: str) -> Ed25519Signer:
    return Ed25519Signer(digest("sim signer", seed, name))


def _firm(seed: int, name: str) -> Firm:
    signer = _signer(seed, name)
    keys = Keys(
        identity=signer.public.identity, signer=signer, vrf=VrfKey(digest("sim vrf", seed, name)),
        agree=agreement(digest("sim signer", seed, name)),
    )  # fmt: skip
    return Firm(name=name, keys=keys)
