"""The paths of signing in: `/v1/session` and below for one's own session, `/v1/sessions` for all of one's own."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from interfirm.api.signin import cookies
from interfirm.api.signin.answers import answer, asked, body_of, client_of, paths, shown, signed_in
from interfirm.api.signin.guard import SESSION_PATH
from interfirm.api.signin.passkeys import passkey_routes
from interfirm.api.signin.ports import SigninPort
from interfirm.base.values import Value

SESSIONS_PATH = "/v1/sessions"


class ByPassword(Value, frozen=True, forbid_unknown_fields=True):
    """The body of signing in by a password."""

    name: str
    password: str


class ByCode(Value, frozen=True, forbid_unknown_fields=True):
    """The body of setting a password by a one-time code."""

    code: str
    password: str


class Changed(Value, frozen=True, forbid_unknown_fields=True):
    """The body of changing one's password."""

    current: str
    new: str


def routes(port: SigninPort) -> list[BaseRoute]:
    """All paths of signing in."""
    sessions = Sessions(port)
    return [
        *paths(SESSION_PATH, POST=sessions.sign_in, GET=sessions.who, DELETE=sessions.sign_out),
        *paths(f"{SESSION_PATH}/invitation", POST=sessions.accept),
        *paths(f"{SESSION_PATH}/password", POST=sessions.change_password),
        *paths(SESSIONS_PATH, GET=sessions.all_of_mine, DELETE=sessions.end_others),
        *paths(f"{SESSIONS_PATH}/{{id}}", DELETE=sessions.end_one),
        *passkey_routes(port),
        *_by_provider(port),
    ]


def _by_provider(port: SigninPort) -> list[BaseRoute]:
    settings = port.signin.oidc
    if not settings.issuer:
        return []
    from interfirm.api.signin.oidc import oidc_routes  # other nodes do without what it loads

    return oidc_routes(port, settings)


class Sessions:
    """Sessions over HTTP."""

    def __init__(self, port: SigninPort) -> None:
        self._port = port
        self._signin = port.signin
        self._settings = port.signin.settings

    async def sign_in(self, request: Request) -> Response:
        """Sign in by name and password."""
        given = await body_of(request, ByPassword)
        opened = await self._signin.by_password(
            given.name, given.password, client_of(request), before=self._cookie(request)
        )
        return signed_in(opened, self._settings)

    async def accept(self, request: Request) -> Response:
        """Set a password by a one-time code, and sign in."""
        given = await body_of(request, ByCode)
        opened = await self._signin.by_code(
            given.code, given.password, client_of(request), before=self._cookie(request)
        )
        return signed_in(opened, self._settings)

    async def change_password(self, request: Request) -> Response:
        """Set another password; every other session of the person ends."""
        given = await body_of(request, Changed)
        opened = await self._signin.change_password(self._cookie(request), given.current, given.new, client_of(request))
        return signed_in(opened, self._settings, status=200)

    async def who(self, request: Request) -> Response:
        """Who is signed in, until when, and the token for what changes something."""
        return answer(200, shown(self._signin.shown(self._cookie(request))))

    async def sign_out(self, request: Request) -> Response:
        """End this session."""
        self._signin.sign_out(self._cookie(request))
        response = answer(204, None)
        response.headers.append("Set-Cookie", cookies.written("session", "", self._settings))
        response.headers["Clear-Site-Data"] = '"cache", "storage"'
        return response

    async def all_of_mine(self, request: Request) -> Response:
        """Where the person is signed in; `current` marks this session."""
        found = await self._asked(request, "session.list", {})
        current = self._signin.shown(self._cookie(request)).session.id
        return answer(200, {"sessions": [{**each, "current": each["id"] == current} for each in found["sessions"]]})

    async def end_one(self, request: Request) -> Response:
        """End one session of the person."""
        return answer(200, await self._asked(request, "session.end", {"id": request.path_params["id"]}))

    async def end_others(self, request: Request) -> Response:
        """End all sessions of the person but this one."""
        current = self._signin.shown(self._cookie(request)).session.id
        return answer(200, await self._asked(request, "session.end", {"but": current}))

    async def _asked(self, request: Request, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        return await asked(self._port, request, name, arguments)

    def _cookie(self, request: Request) -> str:
        return cookies.read("session", request.headers, self._settings)
