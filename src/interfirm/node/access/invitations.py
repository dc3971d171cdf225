"""One-time codes by which a person sets a password: an invitation, or a way back in for who forgot it.

A code is `ifi_<secret>`; only its hash is kept.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.node import kept
from interfirm.node.access import people
from interfirm.node.vault.turn import Turn

SPACE = "invitations"
_CODE = re.compile(r"ifi_[0-9a-f]{64}")
_UNKNOWN = ("access.code", "the code is not known here, was used, or has ended")


class Invitation(Value, frozen=True):
    """For whom a code is."""

    person: str
    expires_ms: int


def invited(
    turn: Turn, person: str, *, expires_ms: int, now_ms: int, random: Callable[[int], bytes]
) -> tuple[Invitation, str]:
    """A code for a person, in place of earlier ones; Refusal `access.person`, `access.expiry`."""
    check(people.person_of(turn, person).active, "access.person", "the person has left", name=person[:100])
    longest = now_ms + LIMITS.invitation_lifetime_ms_max
    check(now_ms < expires_ms <= longest, "access.expiry", "an invitation ends, and not too late",
          expires_ms=expires_ms, expires_ms_max=longest)  # fmt: skip
    forget(turn, person)
    code = f"ifi_{random(32).hex()}"
    made = Invitation(person=person, expires_ms=expires_ms)
    kept.put(turn, SPACE, _key(code), made)
    return made, code


def found(turn: Turn, code: str, *, now_ms: int) -> Invitation:
    """For whom a code is; Refusal `access.code`, the same for every reason."""
    invitation = kept.get(turn, SPACE, _key(code), Invitation) if _CODE.fullmatch(code) else None
    if invitation is None or invitation.expires_ms <= now_ms:
        raise Refusal(*_UNKNOWN)
    return invitation


def forget(turn: Turn, person: str) -> None:
    """End the codes of a person."""
    for key, invitation in kept.every(turn, SPACE, Invitation):
        if invitation.person == person:
            turn.blob_delete(SPACE, key)


def _key(code: str) -> bytes:
    # 256 random bits need no slow hash
    return hashlib.sha256(code.encode()).digest()
