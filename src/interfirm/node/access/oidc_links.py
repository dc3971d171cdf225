"""Which person here is which subject at a provider of OpenID Connect."""

from __future__ import annotations

from interfirm.base.errors import check
from interfirm.base.hashing import digest
from interfirm.base.values import Value
from interfirm.node import kept
from interfirm.node.vault.turn import Turn

SPACE = "oidc-subjects"


class Link(Value, frozen=True):
    """A subject of a provider, and its person here."""

    person: str
    issuer: str
    subject: str


def person_of(turn: Turn, issuer: str, subject: str) -> str | None:
    """The person that a subject is."""
    found = kept.get(turn, SPACE, _key(issuer, subject), Link)
    return None if found is None else found.person


def put(turn: Turn, link: Link) -> None:
    """Keep a link; Refusal `access.oidc-person` where the person is another subject of the same provider."""
    others = [
        each for _, each in kept.every(turn, SPACE, Link)
        if (each.person, each.issuer) == (link.person, link.issuer) and each.subject != link.subject
    ]  # fmt: skip
    check(
        not others, "access.oidc-person", "the person signs in as another subject of the provider", person=link.person
    )
    kept.put(turn, SPACE, _key(link.issuer, link.subject), link)


def forget(turn: Turn, person: str) -> None:
    """Forget which subject a person is."""
    for key, each in kept.every(turn, SPACE, Link):
        if each.person == person:
            turn.blob_delete(SPACE, key)


def _key(issuer: str, subject: str) -> bytes:
    return digest("oidc-subject", issuer, subject)
