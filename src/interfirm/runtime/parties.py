"""The organisations of a network as one process knows them, from the signed entries of the directory."""

from __future__ import annotations

from interfirm.base.errors import Refusal
from interfirm.base.signatures import PublicKey
from interfirm.ledger.receipts.types import Anchor
from interfirm.node.directory.folder import entries
from interfirm.node.directory.machine import step
from interfirm.node.directory.types import Directory, Entry, HeardEntry
from interfirm.runtime.layout import DIRECTORY, Member, NetworkLayout
from interfirm.runtime.notaries import anchors_of


class Parties:
    """Directory of the books and names of the forms; an entry counts only when owner and registrar have signed it.

    Raises Refusal `directory.*` for an entry that does not hold.
    """

    def __init__(self, layout: NetworkLayout) -> None:
        self._layout = layout
        self.reload()

    def reload(self) -> None:
        """Read the network's file and directory again, after somebody joined."""
        self._layout.reload()
        file = self._layout.file
        directory = Directory(network=file.name, registrar=file.genesis.registrar)
        for signed in entries(self._layout.folder / DIRECTORY):
            directory, _ = step(directory, HeardEntry(signed))
        self._entries = {identity: signed.entry for identity, signed in directory.entries.items()}
        self._members = {member.identity: member for member in (*file.members, file.notary)}
        self._notaries = self._layout.notaries
        self._anchors = {anchor.notary: anchor for anchor in anchors_of(self._layout)}

    def entry(self, identity: bytes) -> Entry:
        """The directory entry of an organisation; Refusal `directory.unknown`."""
        found = self._entries.get(identity)
        if found is None:
            raise Refusal("directory.unknown", "this organisation is not in the network", identity=identity)
        return found

    def member(self, identity: bytes) -> Member:
        """The member of the network's file; Refusal `directory.unknown`."""
        found = self._members.get(identity)
        if found is None:
            raise Refusal("directory.unknown", "this organisation is not in the network", identity=identity)
        return found

    def vrf_key(self, identity: bytes) -> bytes:
        """See books.Directory."""
        return self.entry(identity).vrf_public

    def key(self, identity: bytes) -> PublicKey:
        """See books.Directory."""
        return self.entry(identity).public

    def anchor(self, notary: bytes) -> Anchor:
        """See books.Directory."""
        found = self._anchors.get(notary)
        if found is None:
            raise Refusal("directory.notary", "this notary is not known here", notary=notary)
        return found

    def operator(self, notary: bytes) -> bytes | None:
        """See books.Directory; every notary of the network's file is one of the network."""
        self.anchor(notary)
        return None

    def identity_of(self, name: str) -> bytes:
        """See forms.Names: a legal name, short name, registration number or identity id in hex."""
        wanted = str(name).strip().lower()
        for identity, entry in self._entries.items():
            member = self._members.get(identity)
            known = [entry.legal_name.lower(), entry.registration_id.lower(), identity.hex()]
            if member is not None:
                known += [member.slug, member.registration.lower()]
            if wanted in known:
                return identity
        raise Refusal("directory.unknown", "this organisation is not in the network", name=str(name)[:200])

    def organisations(self) -> list[bytes]:
        """See forms.Names; those that left are none any more."""
        return [member.identity for member in self._layout.members]

    def notary_of(self, name: str) -> bytes:
        """See forms.Names: `solo`, a cluster's name, what people call the notary, or its id in hex."""
        wanted = str(name).strip().lower()
        for notary, own in self._notaries.items():
            if wanted in (own, self.name_of(notary).lower(), notary.hex()):
                return notary
        known = [self.name_of(notary) for notary in self._anchors]
        raise Refusal("directory.notary", "this notary is not known here", notary=str(name)[:200], known=known)

    def name_of(self, identity: bytes) -> str:
        """See forms.Names."""
        if identity in self._notaries:
            return self._layout.title(self._notaries[identity])
        found = self._entries.get(identity)
        return found.legal_name if found else identity.hex()

    def registration_of(self, identity: bytes) -> str:
        """See forms.Names."""
        return self.member(identity).registration

    def endpoints(self, identity: bytes) -> list[tuple[str, int]]:
        """Where an organisation's node listens, best first; the directory is read again for one that is not known."""
        if identity not in self._entries:
            self.reload()
        return [(endpoint.host, endpoint.port) for endpoint in self.entry(identity).endpoints]
