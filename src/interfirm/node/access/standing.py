"""What somebody's being known rests on, as long as they stay: who follows a stream was recognised when it began.

A token or session was shown, a person has roles, roles are defined. Each lies under a key of the vault, so that what is
written there says whose standing has to be looked at again, and nobody else's.
"""

from __future__ import annotations

from interfirm.base.errors import Refusal
from interfirm.node import kept
from interfirm.node.access import sessions
from interfirm.node.access.people import KEPT_ROLES, PEOPLE, TOKENS, Token, find_person
from interfirm.node.access.sessions import Session
from interfirm.node.access.staff import OF
from interfirm.node.access.types import Caller
from interfirm.node.vault.blobs import Key
from interfirm.node.vault.turn import Turn

SPACES = frozenset({PEOPLE, KEPT_ROLES, TOKENS, sessions.SPACE})
CHANGED = Refusal("access.changed", "your roles have changed; begin again by what they allow now")
_EXPIRED = Refusal("access.expired", "the token or session has ended by its time")
_REVOKED = Refusal("access.revoked", "the token was revoked")
_SIGNED_OUT = Refusal("access.signed-out", "the session was ended")
_LEFT = Refusal("access.left", "the person has left")


def token_key(text: str) -> Key:
    """Where a token lies, by its text."""
    return TOKENS, text.split("_")[1].encode() if text.count("_") == 2 else b""


def session_key(text: str) -> Key:
    """Where a session lies, by its text."""
    return sessions.SPACE, sessions.key_of(text)


def rests_on(shown: Key, caller: Caller) -> frozenset[Key]:
    """The keys on which it rests that who has shown something is this caller."""
    # of a guest from a group's host the name there is kept
    person = caller.name.rpartition(OF)[2]
    return frozenset({shown, (PEOPLE, person.encode()), *((KEPT_ROLES, role.encode()) for role in caller.roles)})


def ends_ms(turn: Turn, shown: Key) -> int | None:
    """When what was shown ends by its time; None where it does not lie here."""
    space, key = shown
    if space == TOKENS:
        token = kept.get(turn, space, key, Token)
        return None if token is None else token.expires_ms
    session = kept.get(turn, space, key, Session)
    return None if session is None else session.ends_ms


def check_token(turn: Turn, name: str, *, now_ms: int) -> None:
    """Refuse (`access.revoked`, `access.expired`) what is done under the token of this id when it has ended."""
    token = kept.get(turn, TOKENS, name.encode(), Token)
    if token is None or token.revoked_ms:
        raise _REVOKED
    if token.expires_ms <= now_ms:
        raise _EXPIRED


def why_ended(turn: Turn, shown: Key, person: str, *, now_ms: int) -> Refusal:
    """Why somebody who was known is not any more, as far as the vault that knew them says."""
    known = find_person(turn, person)
    if known is None or not known.active:
        return _LEFT
    end_ms = ends_ms(turn, shown)
    if end_ms is not None and end_ms <= now_ms:
        return _EXPIRED
    if shown[0] == TOKENS:
        token = kept.get(turn, *shown, Token)
        # one that holds still does not let a guest in who has no role here any more
        return _REVOKED if token is None or token.revoked_ms else CHANGED
    return _SIGNED_OUT
