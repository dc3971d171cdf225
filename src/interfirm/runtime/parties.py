"""The organisations of a network as one process knows them: names, keys, where their nodes are, the notary's anchor."""

from __future__ import annotations

from interfirm.base.errors import Refusal
from interfirm.ledger.receipts.types import NotaryAnchor
from interfirm.notary.abroad import anchor_of
from interfirm.notary.machine import notary_id
from interfirm.runtime.layout import Member, NetworkFile


class Parties:
    """Directory of the books and names of the forms, over the network's file; `replace` takes a newer one."""

    def __init__(self, file: NetworkFile) -> None:
        self.replace(file)

    def replace(self, file: NetworkFile) -> None:
        """Take a newer file, after somebody joined."""
        self._file = file
        self._members = {member.identity: member for member in (*file.members, file.notary)}
        self._anchor = anchor_of(file.genesis)
        self._notary = notary_id(file.genesis)

    def member(self, identity: bytes) -> Member:
        """A member by identity id; Refusal `directory.unknown`."""
        found = self._members.get(identity)
        if found is None:
            raise Refusal("directory.unknown", "this organisation is not in the network", identity=identity)
        return found

    def vrf_key(self, identity: bytes) -> bytes:
        """See books.Directory."""
        return self.member(identity).vrf

    def anchor(self, notary: bytes) -> NotaryAnchor:
        """See books.Directory."""
        if notary != self._notary:
            raise Refusal("directory.notary", "this notary is not known here", notary=notary)
        return self._anchor

    def identity_of(self, name: str) -> bytes:
        """See forms.Names: a legal name, short name, registration number or identity id in hex."""
        wanted = str(name).strip().lower()
        for identity, member in self._members.items():
            if wanted in (member.name.lower(), member.slug, member.registration.lower(), identity.hex()):
                return identity
        raise Refusal("directory.unknown", "this organisation is not in the network", name=str(name)[:200])

    def name_of(self, identity: bytes) -> str:
        """See forms.Names."""
        if identity == self._notary:
            return self._file.notary.name
        member = self._members.get(identity)
        return member.name if member else identity.hex()

    def registration_of(self, identity: bytes) -> str:
        """See forms.Names."""
        return self.member(identity).registration

    def endpoint(self, identity: bytes) -> tuple[str, int]:
        """Where a member's node listens."""
        member = self.member(identity)
        return member.host, member.port
