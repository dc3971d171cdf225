"""Sessions of people who signed in with a browser.

A session is `ifs_<secret>`, of which only a hash is kept: who reads the vault or a backup of it cannot use it. What it
allows is read anew at every request from its person, so it has nothing that a client could forge. It ends when it is
idle, when it is old, and when its person signs out, leaves, or has other roles.

Source: OWASP Session Management Cheat Sheet; OWASP Cross-Site Request Forgery Prevention Cheat Sheet (HMAC token).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Literal

from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.node import kept
from interfirm.node.access.people import caller_of
from interfirm.node.access.types import Caller
from interfirm.node.vault.turn import Turn

SPACE = "sessions"
Means = Literal["password", "code", "oidc", "passkey"]
TOUCH_MS = 60_000
"""How exactly it is kept when a session was last used."""
_TEXT = re.compile(r"ifs_[0-9a-f]{64}")
_UNKNOWN = ("access.unknown-caller", "who asks is not known here, or not any more")


class Session(Value, frozen=True):
    """A session, without its secret."""

    id: str
    person: str
    means: Means
    """How its person signed in."""
    address: str
    agent: str
    """What the browser called itself."""
    created_ms: int
    used_ms: int

    @property
    def ends_ms(self) -> int:
        """When it ends, unless it is used before."""
        return min(self.created_ms + LIMITS.session_lifetime_ms_max, self.used_ms + LIMITS.session_idle_ms_max)


class Client(Value, frozen=True):
    """Whence somebody signs in."""

    address: str
    agent: str = ""


def opened(
    turn: Turn, person: str, means: Means, client: Client, *, now_ms: int, random: Callable[[int], bytes]
) -> tuple[Session, str]:
    """A new session for a person, and its text, which is not kept; the oldest ends where there are too many."""
    mine = [session for session in sweep(turn, now_ms=now_ms) if session.person == person]
    too_many = max(0, len(mine) + 1 - LIMITS.sessions_count_max)
    for session in sorted(mine, key=lambda each: each.used_ms)[:too_many]:
        end(turn, session.id)
    text = f"ifs_{random(32).hex()}"
    session = Session(
        id=random(8).hex(), person=person, means=means, address=client.address[:64], agent=client.agent[:200],
        created_ms=now_ms, used_ms=now_ms,
    )  # fmt: skip
    kept.put(turn, SPACE, key_of(text), session)
    return session, text


def session_of(turn: Turn, text: str, *, now_ms: int) -> Session:
    """The session of this text; Refusal `access.unknown-caller`, the same for every reason."""
    found = kept.get(turn, SPACE, key_of(text), Session) if _TEXT.fullmatch(text) else None
    if found is None or found.ends_ms <= now_ms:
        raise Refusal(*_UNKNOWN)
    return found


def caller_of_session(turn: Turn, text: str, *, now_ms: int) -> Caller:
    """Whoever shows a session, with the roles of now; Refusal `access.unknown-caller`."""
    return caller_of(turn, session_of(turn, text, now_ms=now_ms).person, door="session")


def touch(turn: Turn, text: str, *, now_ms: int) -> None:
    """Keep that a session was used now."""
    kept.put(turn, SPACE, key_of(text), session_of(turn, text, now_ms=now_ms).replace(used_ms=now_ms))


def sweep(turn: Turn, *, now_ms: int) -> list[Session]:
    """All sessions that have not ended; forgets the others."""
    left = []
    for key, session in kept.every(turn, SPACE, Session):
        if session.ends_ms <= now_ms:
            turn.blob_delete(SPACE, key)
        else:
            left.append(session)
    return left


def listed(turn: Turn, *, now_ms: int, person: str | None = None) -> list[Session]:
    """Sessions that have not ended, of one person or of everybody, the one used last first."""
    found = [session for _, session in kept.every(turn, SPACE, Session) if session.ends_ms > now_ms]
    mine = [session for session in found if person in (None, session.person)]
    return sorted(mine, key=lambda session: (-session.used_ms, session.id))


def end(turn: Turn, name: str, *, person: str | None = None) -> Session:
    """End the session with this id now, where it is this person's; Refusal `access.session`."""
    for key, session in kept.every(turn, SPACE, Session):
        if session.id == name and person in (None, session.person):
            turn.blob_delete(SPACE, key)
            return session
    raise Refusal("access.session", "there is no such session", session=name[:40])


def end_text(turn: Turn, text: str) -> None:
    """End the session of this text; one that is not there is no trouble."""
    turn.blob_delete(SPACE, key_of(text))


def end_all(turn: Turn, person: str, *, but: str = "") -> int:
    """End all sessions of a person, `but` the one with this id; returns how many."""
    mine = [(key, each) for key, each in kept.every(turn, SPACE, Session) if each.person == person and each.id != but]
    for key, _ in mine:
        turn.blob_delete(SPACE, key)
    return len(mine)


def csrf_token(text: str) -> str:
    """What a page sends beside a session's cookie: only who was told it, or can read the session, knows it."""
    return hmac.new(text.encode(), b"interfirm csrf", hashlib.sha256).hexdigest()


def check_csrf(text: str, given: str) -> None:
    """Refuse (`access.csrf`) a request that came with a session's cookie, and without its token."""
    right = hmac.compare_digest(csrf_token(text).encode(), given.encode(errors="replace"))
    check(right, "access.csrf", "a session changes things only with its X-CSRF-Token")


def key_of(text: str) -> bytes:
    """Where a session lies, by its text."""
    # 256 random bits need no slow hash
    return hashlib.sha256(text.encode()).digest()
