"""Signing in at one node: turns of its vault, and what is slow in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from interfirm.api.signin.pending import Pending
from interfirm.api.signin.settings import SigninSettings
from interfirm.base.errors import Refusal, check
from interfirm.base.values import Value
from interfirm.node.access import attempts, audit, invitations, passwords, sessions
from interfirm.node.access.oidc_settings import OidcSettings
from interfirm.node.access.people import caller_of
from interfirm.node.access.sessions import Client, Means, Session
from interfirm.node.access.types import Caller
from interfirm.node.vault.turn import Turn
from interfirm.node.vault.vault import Vault

HASHED_AT_ONCE = 2
"""Passwords that are hashed at one time: each takes 64 MiB."""
WAITING_MAX = 64
"""Sign-ins that wait for that, or are at it."""
SIGN_IN = "session.sign-in"
P = ParamSpec("P")
R = TypeVar("R")


class Opened(Value, frozen=True):
    """Somebody who signed in, with the session's text for the browser."""

    session: Session
    text: str
    caller: Caller


class SignIn:
    """See the module. `random` gives as many random bytes as it is asked for."""

    def __init__(
        self,
        vault: Vault,
        settings: SigninSettings,
        *,
        oidc: OidcSettings,
        now_ms: Callable[[], int],
        random: Callable[[int], bytes],
    ) -> None:
        self.vault = vault
        self.settings = settings
        self.oidc = oidc
        self.now_ms = now_ms
        self.random = random
        self.pending = Pending(random(32), now_ms)
        self._waiting = 0
        self._hashing = asyncio.Semaphore(HASHED_AT_ONCE)

    def caller(self, text: str) -> Caller:
        """Whoever shows a session; Refusal `access.unknown-caller`."""
        now_ms = self.now_ms()
        with self.vault.read() as turn:
            session = sessions.session_of(turn, text, now_ms=now_ms)
            caller = caller_of(turn, session.person, door="session")
        if now_ms - session.used_ms >= sessions.TOUCH_MS:
            with self.vault.turn() as turn:
                sessions.touch(turn, text, now_ms=now_ms)
        return caller

    def shown(self, text: str) -> Opened:
        """The session of a text with its person; Refusal `access.unknown-caller`."""
        caller = self.caller(text)
        with self.vault.read() as turn:
            return Opened(session=sessions.session_of(turn, text, now_ms=self.now_ms()), text=text, caller=caller)

    async def by_password(self, name: str, password: str, client: Client, *, before: str) -> Opened:
        """Sign in by a password, in place of the session `before`; Refusal `access.sign-in`, `access.too-many`."""
        name = name.strip().lower()
        plain = passwords.normal(password)
        kept = await self._compare(name, plain, client)
        renewed = await self._hashed(plain) if passwords.is_dated(kept.hash) else ""
        with self.vault.turn() as turn:
            self._check_unchanged(turn, name, kept)
            if renewed:
                passwords.put(turn, name, renewed, now_ms=self.now_ms())
            attempts.succeeded(turn, "name", name)
            attempts.succeeded(turn, "address", client.address)
            return self.opened(turn, name, "password", client, before=before)

    async def by_code(self, code: str, password: str, client: Client, *, before: str) -> Opened:
        """Set a password by a code and sign in; Refusal `access.code`, `access.password`."""
        with self.vault.read() as turn:
            person = invitations.found(turn, code, now_ms=self.now_ms()).person
        hash_ = await self._hashed(passwords.checked(person, password))
        with self.vault.turn() as turn:
            check(invitations.found(turn, code, now_ms=self.now_ms()).person == person, "access.code",
                  "the code is another's")  # fmt: skip
            self._set_password(turn, person, hash_)
            return self.opened(turn, person, "code", client, before=before)

    async def change_password(self, text: str, current: str, new: str, client: Client) -> Opened:
        """Set another password for who signed in, and sign out everywhere else; Refusal as signing in, and
        `access.password`."""
        name = self.caller(text).name
        plain = passwords.checked(name, new)
        kept = await self._compare(name, passwords.normal(current), client)
        hash_ = await self._hashed(plain)
        with self.vault.turn() as turn:
            self._check_unchanged(turn, name, kept)
            sessions.session_of(turn, text, now_ms=self.now_ms())
            self._set_password(turn, name, hash_)
            attempts.succeeded(turn, "address", client.address)
            return self.opened(turn, name, "password", client, operation="session.password")

    def sign_out(self, text: str) -> None:
        """End a session; Refusal `access.unknown-caller`."""
        caller = self.caller(text)
        with self.vault.turn() as turn:
            sessions.end_text(turn, text)
            audit.record(turn, caller, operation="session.sign-out", subject="", outcome=audit.DONE,
                         at_ms=self.now_ms())  # fmt: skip

    def opened(
        self, turn: Turn, name: str, means: Means, client: Client, *, before: str = "", operation: str = SIGN_IN
    ) -> Opened:
        """A session for who was recognised, with an entry in the audit log; Refusal `access.unknown-caller`."""
        caller = caller_of(turn, name, door="session")
        if before:
            sessions.end_text(turn, before)
        session, text = sessions.opened(turn, name, means, client, now_ms=self.now_ms(), random=self.random)
        audit.record(turn, caller, operation=operation, subject=means, outcome=audit.DONE, at_ms=self.now_ms())
        return Opened(session=session, text=text, caller=caller)

    def note_refused(self, name: str, means: Means, refusal: Refusal) -> None:
        """Write into the audit log that somebody was not let in."""
        caller = Caller(name=name, roles=(), door="session")
        with self.vault.turn() as turn:
            audit.record(turn, caller, operation=SIGN_IN, subject=means, outcome=refusal.code, at_ms=self.now_ms())

    async def slowly(self, work: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        """What `work` gives, in a thread; Refusal `access.too-many` where too much of it waits."""
        check(self._waiting < WAITING_MAX, "access.too-many", "too many people sign in; try again", retry_s=1)
        self._waiting += 1
        try:
            async with self._hashing:
                return await asyncio.to_thread(work, *arguments, **named)
        finally:
            self._waiting -= 1

    async def _compare(self, name: str, plain: str, client: Client) -> passwords.Password:
        """The kept password of a name, which is this one; takes as long where there is none."""
        with self.vault.turn() as turn:
            attempts.take(turn, "address", client.address, now_ms=self.now_ms())
            attempts.take(turn, "name", name, now_ms=self.now_ms())
            kept = passwords.of(turn, name)
        found = kept or passwords.Password(hash=passwords.NOBODYS, changed_ms=0)
        try:
            await self.slowly(passwords.check_matches, found.hash, plain)
        except Refusal as refusal:
            # what was typed for a name nobody has may be a password
            self.note_refused(name if kept else "", "password", refusal)
            raise
        return found

    def _check_unchanged(self, turn: Turn, name: str, kept: passwords.Password) -> None:
        same = passwords.of(turn, name) == kept
        check(same, "access.sign-in", "the name or the password is wrong")  # it was changed meanwhile

    def _set_password(self, turn: Turn, person: str, hash_: str) -> None:
        passwords.put(turn, person, hash_, now_ms=self.now_ms())
        invitations.forget(turn, person)
        sessions.end_all(turn, person)
        attempts.succeeded(turn, "name", person)

    async def _hashed(self, plain: str) -> str:
        return await self.slowly(passwords.hashed, plain, salt=self.random(passwords.SALT_BYTES))
