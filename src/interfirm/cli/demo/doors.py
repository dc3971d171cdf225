"""Somebody to try the HTTP doors of a demo's nodes with: one person at each firm, and a token."""

from __future__ import annotations

from interfirm.base.values import Value
from interfirm.runtime.asking import Asker
from interfirm.runtime.group import url_at
from interfirm.runtime.layout import NetworkLayout

PERSON = "demo"
ROLES = ("clerk", "approver", "auditor")


class OpenDoor(Value, frozen=True):
    """Where a firm's node is reached, and what to show there."""

    firm: str
    url: str
    token: str


def open_doors(layout: NetworkLayout) -> list[OpenDoor]:
    """Let one person in at every node that runs."""
    found = []
    for member in layout.members:
        home = layout.home(member)
        asker = Asker(home.control_path)
        asker.call("access.person-put", {"name": PERSON, "roles": list(ROLES)})
        made = asker.call("access.token-new", {"person": PERSON, "note": "to try the interfaces"})
        found.append(OpenDoor(firm=member.slug, url=url_at(layout, home), token=made["token"]))
    return found
