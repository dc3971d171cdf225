"""What ends when a person leaves, or has other roles."""

from __future__ import annotations

from interfirm.node.access import invitations, oidc_links, passkeys, passwords, sessions
from interfirm.node.access.people import Person
from interfirm.node.vault.turn import Turn


def end_what_changed(turn: Turn, before: Person | None, now: Person) -> None:
    """Sign a person out whose roles changed; of one who left, forget every way back in as well."""
    if before is None or before == now:
        return
    sessions.end_all(turn, now.name)
    if not now.active:
        passwords.forget(turn, now.name)
        passkeys.forget(turn, now.name)
        invitations.forget(turn, now.name)
        oidc_links.forget(turn, now.name)
