"""The paths of passkeys: making one, signing in by one, listing and removing one's own."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from interfirm.api.signin import cookies
from interfirm.api.signin.answers import answer, asked, body_of, client_of, paths, signed_in
from interfirm.api.signin.guard import SESSION_PATH
from interfirm.api.signin.ports import SigninPort
from interfirm.base.errors import Refusal, check
from interfirm.base.limits import LIMITS
from interfirm.base.values import Value
from interfirm.node.access import attempts, audit, passkeys
from interfirm.node.desk_signin import shown_passkey

ONE, MINE = f"{SESSION_PATH}/passkey", f"{SESSION_PATH}/passkeys"
T = TypeVar("T")


class Shown(Value, frozen=True, forbid_unknown_fields=True):
    """The body of signing in: what `navigator.credentials.get` gave, as JSON."""

    credential: dict[str, Any]


class Made(Value, frozen=True, forbid_unknown_fields=True):
    """The body of keeping a passkey: what `navigator.credentials.create` gave, as JSON, and a name for it."""

    credential: dict[str, Any]
    note: str = ""


def passkey_routes(port: SigninPort) -> list[BaseRoute]:
    """All paths of passkeys."""
    door = Passkeys(port)
    return [
        *paths(f"{ONE}/options", POST=door.begin), *paths(ONE, POST=door.sign_in),
        *paths(f"{MINE}/options", POST=door.begin_making),
        *paths(MINE, GET=door.all_of_mine, POST=door.keep), *paths(f"{MINE}/{{id}}", DELETE=door.remove),
    ]  # fmt: skip


class Passkeys:
    """Passkeys over HTTP."""

    def __init__(self, port: SigninPort) -> None:
        self._port = port
        self._signin = port.signin
        self._settings = port.signin.settings

    async def begin(self, request: Request) -> Response:
        """Begin signing in by a passkey."""
        self._check_host()
        challenge = self._signin.random(32)
        options = await self._done(lambda by: by.showing(host=self._settings.host, challenge=challenge))
        return self._begun(options, challenge, "")

    async def sign_in(self, request: Request) -> Response:
        """Sign in by a passkey, which was begun in this browser."""
        signin, client = self._signin, client_of(request)
        given = await body_of(request, Shown)
        with signin.vault.turn() as turn:
            attempts.take(turn, "address", client.address, now_ms=signin.now_ms())
        challenge = self._challenge(request, "")
        try:
            known, count = await self._proved(given, challenge)
            with signin.vault.turn() as turn:
                unchanged = passkeys.of_id(turn, bytes.fromhex(known.id)) == known
                check(unchanged, "access.sign-in", "the passkey was used meanwhile")
                passkeys.used(turn, known, count=count, now_ms=signin.now_ms())
                attempts.succeeded(turn, "address", client.address)
                before = cookies.read("session", request.headers, self._settings)
                opened = signin.opened(turn, known.person, "passkey", client, before=before)
        except Refusal as refusal:
            signin.note_refused("", "passkey", refusal)
            raise
        return self._forgetting(signed_in(opened, self._settings))

    async def begin_making(self, request: Request) -> Response:
        """Begin making a passkey for who signed in just now; who did earlier signs in again first."""
        self._check_host()
        person = self._fresh(request)
        with self._signin.vault.read() as turn:
            known = passkeys.of_person(turn, person)
        challenge = self._signin.random(32)
        options = await self._done(
            lambda by: by.making(person, host=self._settings.host, challenge=challenge, known=known)
        )
        return self._begun(options, challenge, person)

    async def keep(self, request: Request) -> Response:
        """Keep a passkey that was made."""
        given = await body_of(request, Made)
        person = self._fresh(request)
        challenge = self._challenge(request, person)
        found = await self._done(lambda by: by.made(
            given.credential, person, host=self._settings.host, origin=self._settings.origin, challenge=challenge,
            note=given.note, now_ms=self._signin.now_ms(),
        ))  # fmt: skip
        caller = self._port.caller(request.headers)
        with self._signin.vault.turn() as turn:
            passkeys.add(turn, found)
            audit.record(turn, caller, operation="session.passkey-add", subject=found.id, outcome=audit.DONE,
                         at_ms=self._signin.now_ms())  # fmt: skip
        return self._forgetting(answer(201, shown_passkey(found)))

    async def all_of_mine(self, request: Request) -> Response:
        """List the person's passkeys."""
        return answer(200, await asked(self._port, request, "session.passkeys", {}))

    async def remove(self, request: Request) -> Response:
        """Remove one of the person's passkeys."""
        name = request.path_params["id"]
        return answer(200, await asked(self._port, request, "session.passkey-remove", {"id": name}))

    async def _proved(self, given: Shown, challenge: bytes) -> tuple[passkeys.Passkey, int]:
        credential = await self._done(lambda by: by.id_of(given.credential))
        with self._signin.vault.read() as turn:
            known = passkeys.of_id(turn, credential)
        count = await self._done(lambda by: by.shown(
            given.credential, known, host=self._settings.host, origin=self._settings.origin, challenge=challenge,
        ))  # fmt: skip
        return known, count

    def _begun(self, options: dict[str, Any], challenge: bytes, person: str) -> Response:
        response = answer(200, {"publicKey": options})
        sealed = self._signin.pending.sealed("passkey", {"challenge": challenge.hex(), "person": person})
        response.headers.append("Set-Cookie", cookies.written("passkey", sealed, self._settings))
        return response

    def _challenge(self, request: Request, person: str) -> bytes:
        """What was to be signed, used up by this; Refusal `access.sign-in-state`."""
        facts = self._signin.pending.use("passkey", cookies.read("passkey", request.headers, self._settings))
        check(facts["person"] == person, "access.sign-in-state", "this was begun by somebody else")
        return bytes.fromhex(facts["challenge"])

    def _fresh(self, request: Request) -> str:
        """The person who signed in just now; Refusal `access.session-old`: a passkey outlives a session."""
        opened = self._signin.shown(cookies.read("session", request.headers, self._settings))
        age_ms = self._signin.now_ms() - opened.session.created_ms
        check(age_ms <= LIMITS.sign_in_ms_max, "access.session-old", "sign in again before you make a passkey")
        return opened.caller.name

    def _forgetting(self, response: Response) -> Response:
        response.headers.append("Set-Cookie", cookies.written("passkey", "", self._settings))
        return response

    def _check_host(self) -> None:
        host = self._settings.host
        try:
            ipaddress.ip_address(host)
        except ValueError:
            return
        raise Refusal("access.passkey-host", "passkeys need a node that browsers reach by a name", host=host)

    async def _done(self, work: Callable[[Any], T]) -> T:
        """What `work` makes of the ceremonies, in a thread: their library is loaded when it is first needed."""

        def done() -> T:
            from interfirm.node.access import ceremonies

            return work(ceremonies)

        return await self._signin.slowly(done)
